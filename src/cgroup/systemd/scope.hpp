// The transient scope of a container: systemd makes and removes it, and keeps its limits.
#pragma once

#include <berth/base/error.hpp>
#include <berth/cgroup/cgroup.hpp>
#include <berth/sys/process.hpp>

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "cgroup/file_write.hpp"
#include "cgroup/systemd/bus.hpp"

namespace berth::cgroup::systemd {

/// The placement of container `id` below systemd's own cgroup, without directories. Asks systemd where that is, so that
/// a host without it is known before anything is made.
Result<Placement> place_scope(const std::string& cgroups_path, const std::string& id, bool user,
                              const std::map<std::string, std::string>& annotations);

/// A process that does nothing: a scope cannot be empty, and the container's process does not exist yet. Dies with
/// its parent.
Result<sys::Child> start_placeholder();

/// Starts the unit around the process; returns its invocation when it is active. A failed unit of this name, which is
/// only a memory, makes way; any other is an error of kind kExists.
Result<std::string> start_scope(const Placement& placement, pid_t pid);

/// Whether systemd knows this run of the unit.
Result<bool> has_scope(const Unit& unit);

/// Stops the unit and lets systemd forget it if it had failed; returns when its cgroup is gone. No error if it has
/// ended already. False if another unit has its name by now, and with it the cgroup.
Result<bool> stop_scope(const Unit& unit);

/// Stops the unit of a create() that was killed before it knew which one it had started, if it is there and has no
/// process: systemd does not notice the end of a process that it was about to put into it. A unit that has a process is
/// another container's.
Status stop_unused_scope(const Placement& placement);

/// Directory of the unit's own cgroup.
std::string scope_directory(const Placement& placement);
/// The container's cgroup below that of its unit: "" or "/name".
std::string below_unit(const Placement& placement);

/// Makes the limits properties of the unit.
Status set_limits(Bus& bus, const Unit& unit, const std::vector<FileWrite>& limits);

/// Moves a process of the caller's into the unit's cgroup, or the one `below` it ("" or "/name"), for a user who has no
/// right to do it himself.
Status attach_process(const Unit& unit, const std::string& below, pid_t pid);

}  // namespace berth::cgroup::systemd
