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

#include "launch/init_process.hpp"

namespace berth::launch {

/// Makes the container's process in its namespaces and cgroup, with its ids mapped, and lets it proceed. `channel` is
/// the supervisor's end, `peer` the other one, which the new process keeps. Its network devices are in `devices`, which
/// bring themselves back until they are kept. In the new process this never returns.
Result<sys::Child> spawn(InitContext& context, cgroup::Cgroup& cgroup, channel::Channel& channel, sys::UniqueFd peer,
                         net::MovedDevices& devices);

/// How a process that closed its channel too early ended, as an error.
[[nodiscard]] Error death_error(sys::Child& child);

}  // namespace berth::launch
