// Performs a SpawnPlan.
#pragma once

#include <berth/base/error.hpp>
#include <berth/cgroup/cgroup.hpp>
#include <berth/channel/channel.hpp>
#include <berth/net/moved_devices.hpp>
#include <berth/ns/namespace_set.hpp>
#include <berth/ns/spawn_plan.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/sys/process.hpp>

#include <functional>
#include <optional>

#include "launch/exec_program.hpp"
#include "launch/init_process.hpp"

namespace berth::launch {

/// Makes the container's process in its namespaces and cgroup, with its ids mapped, and lets it proceed. `channel` is
/// the supervisor's end, `peer` the other one, which the new process keeps. Its network devices are in `devices`, which
/// bring themselves back until they are kept. In the new process this never returns.
Result<sys::Child> spawn(InitContext& context, cgroup::Cgroup& cgroup, channel::Channel& channel, sys::UniqueFd peer,
                         net::MovedDevices& devices);

struct Cloned {
  std::optional<sys::ClonedProcess> process;  ///< empty in the child
  bool into_cgroup = false;
};
/// clone3(2) into a cgroup2 directory, or without one where the kernel cannot: then the process is added by its pid.
Result<Cloned> clone_into(std::uint64_t flags, int cgroup_fd);

/// Takes the process that the stage has made, as a child of this one. The stage ends by itself then; it is for the
/// caller to reap, when nobody waits for anything else.
Result<sys::Child> receive_from_stage(channel::Channel& channel, sys::Child& stage);

/// The next message of the container's process, or nothing at the end of the stream. What the trampoline reports comes
/// back as the error that it is; `announcement` is what it said before.
Result<std::optional<channel::Message>> receive(channel::Channel& channel, const ExecAnnouncement& announcement = {});

/// Waits until there is a message, or the end of the stream. A signal on `interrupt_fd` is an error.
Status await_message(const channel::Channel& channel, int interrupt_fd);

/// Talks with the process until it is ready; gives the master of its terminal, if it has one. `run_hooks` is called
/// when it asks for them. A signal on `interrupt_fd` ends the wait with an error.
Result<sys::UniqueFd> await_ready(channel::Channel& channel, sys::Child& child, int interrupt_fd,
                                  const std::function<Status()>& run_hooks);

/// How a process that closed its channel too early ended, as an error.
[[nodiscard]] Error death_error(sys::Child& child);

}  // namespace berth::launch
