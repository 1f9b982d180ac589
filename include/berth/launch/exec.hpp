// A further process in a container that runs.
#pragma once

#include <berth/base/error.hpp>
#include <berth/cgroup/cgroup.hpp>
#include <berth/launch/passed_descriptors.hpp>
#include <berth/launch/supervisor.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/rdt/resctrl.hpp>
#include <berth/sys/process.hpp>
#include <berth/sys/unique_fd.hpp>

#include <cstdint>
#include <functional>
#include <string>

namespace berth::launch {

struct ExecOptions {
  std::uint64_t namespaces = 0;  ///< CLONE_NEW* of those that the container has of its own
  sys::UniqueFd root;            ///< the container's root, where it has no mount namespace that would give it
  std::string user_name;         ///< --user NAME: looked up in the container, in place of the plan's ids; "" for none
  bool no_new_keyring = false;
  std::string filter_cache;          ///< as in LaunchOptions
  const rdt::Groups* rdt = nullptr;  ///< which the process joins
  PassedDescriptors passed;
  /// The container is not frozen, and its memory limit has_room().
  bool may_share_memory = false;
  bool at_once = false;   ///< the caller has nothing to do between exec() and commit(): neither waits for the other
  int interrupt_fd = -1;  ///< a signalfd; when it is readable the exec is given up
  /// Called when the process is in the container's cgroup, where others find it, and which may be frozen.
  std::function<Status()> placed = [] { return Status(); };
};

/// Makes a process in the cgroup and the namespaces of `init`, the container's first process, which stands right before
/// its exec of plan.process.args: as launch() does. The caller must run from a sealed self where those of the container
/// see the process before it is the trampoline.
Result<LaunchedProcess> exec(const plan::ContainerPlan& plan, const sys::Pidfd& init, cgroup::Cgroup& cgroup,
                             const ExecOptions& options);

}  // namespace berth::launch
