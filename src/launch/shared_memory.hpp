// A container's process in the memory of its supervisor (vfork(2)), until its trampoline takes over.
//
// A fork copies page tables, and every page that either process writes to after it: in a virtual machine that is a
// third of a start. Where the supervisor has nothing to do before the trampoline has taken over, the new process can do
// its work in the supervisor's memory instead, which stands still meanwhile.
//
// What the process must not do then, because the supervisor finds it so: change or destroy what the supervisor has.
// Descriptors of it are closed by number only, or by owners of the process's own; of what is global, log and trace are
// put back.
//
// Nobody else may be able to look at the process, or he had the supervisor: its pid namespace has nobody else in it, or
// is one that the container does not see, and it is not dumpable.
#pragma once

#include <berth/base/error.hpp>
#include <berth/base/log.hpp>
#include <berth/base/trace.hpp>
#include <berth/cgroup/cgroup.hpp>
#include <berth/sys/process.hpp>

#include <cerrno>
#include <optional>

namespace berth::launch {

/// Runs `body`, which never returns, in a new process in this one's memory, and comes back when that has executed its
/// trampoline or ended. Nothing where the kernel cannot clone into the cgroup (before Linux 5.7).
template <class Body>
Result<std::optional<sys::ClonedProcess>> clone_sharing_memory(std::uint64_t flags, const cgroup::Cgroup& cgroup,
                                                               Body& body) {
  // NOLINTNEXTLINE(performance-unnecessary-copy-initialization): what it refers to changes
  const log::Settings log_settings = log::settings();
  const trace::Settings trace_settings = trace::settings();
  const sys::ProcessBody run = [](void* argument) noexcept { (*static_cast<Body*>(argument))(); };
  auto cloned = sys::clone_sharing_memory(flags, cgroup.clone_fd(), run, &body);
  log::configure(log_settings);
  trace::restore(trace_settings);
  if (!cloned && (cloned.error().is(EINVAL) || cloned.error().is(E2BIG))) {
    return std::optional<sys::ClonedProcess>();
  }
  return std::optional<sys::ClonedProcess>(TRY(std::move(cloned)));
}

}  // namespace berth::launch
