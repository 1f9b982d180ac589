#pragma once

#include <berth/base/error.hpp>
#include <berth/cgroup/cgroup.hpp>

#include <sys/types.h>

#include <optional>
#include <string>

namespace berth::cgroup {

/// Makes `owner` (a number of the caller's user namespace) the owner of the container's cgroup2 directory and of those
/// files in it that the kernel names as safe to delegate: it may make cgroups below, and cannot change its own limits.
/// Does nothing where cgroup v1 has controllers, whose delegation is not secure (config-linux.md, "Cgroup ownership"),
/// and for a caller who may not give files away.
Status hand_over(const Placement& placement, uid_t owner);

/// run.oci.delegate-cgroup: makes a cgroup `name` without limits inside the container's, moves the process there and
/// hands it over to `owner`, if there is one. An error where cgroup v1 has controllers, or there is no cgroup.
Status delegate_below(const Placement& placement, const std::string& name, pid_t pid, std::optional<uid_t> owner);

}  // namespace berth::cgroup
