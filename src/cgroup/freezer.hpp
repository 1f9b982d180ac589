// Stopping all processes of a cgroup at once.
#pragma once

#include <berth/base/error.hpp>
#include <berth/cgroup/cgroup.hpp>

namespace berth::cgroup {

/// Uses the v1 freezer where there is one, also beside cgroup2: it is what engines look at on such hosts.
Status freeze_processes(const Placement& placement);
Status thaw_processes(const Placement& placement);
/// Thaws the cgroups below as well, which the container may have frozen itself (v1 only: cgroup2 needs it for nothing,
/// as SIGKILL ends frozen processes there). No error where there is no v1 freezer.
Status thaw_legacy_recursively(const Placement& placement);
/// Also while some of them still run: whoever began that may have been killed, and a thaw is what helps.
Result<bool> processes_frozen(const Placement& placement);
Result<bool> processes_frozen(const Placement& placement, FrozenAbove& above);
/// For a cgroup without processes: refuses one in which nothing could run, as it or one above it is frozen, and names
/// that one. Reads one file where nothing is.
Status refuse_frozen(const Placement& placement);

}  // namespace berth::cgroup
