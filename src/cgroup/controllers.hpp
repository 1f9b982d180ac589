// Which controllers the container's cgroup can have, and giving it those of cgroup2.
#pragma once

#include <berth/base/error.hpp>
#include <berth/cgroup/cgroup.hpp>
#include <berth/plan/container_plan.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "cgroup/limits.hpp"

namespace berth::cgroup {

/// Those of the v1 hierarchies from the placement alone; those of cgroup2 are read where they matter: on a host without
/// v1, or when a limit needs one.
Result<Controllers> find_controllers(const Placement& placement, const plan::Resources& resources);

/// The limits as writes; an error if a controller that one needs is missing.
Result<Limits> enforceable_limits(const plan::Resources& resources, const Controllers& controllers);

/// Gives the container's cgroup its controllers of cgroup2. On a host without v1, all of them: engines read their
/// statistics. Beside v1, only what a limit needs.
Status enable_unified(const Placement& placement, const Limits& limits, const Controllers& controllers);

/// Pure. The error for a limit without a controller: names limit, controller and, by the text of /proc/cgroups, the
/// cure.
Error explain_missing(const MissingController& missing, const Controllers& controllers, std::string_view proc_cgroups);

namespace unified {
/// Writes cgroup.subtree_control of every cgroup from `root` down to the parent of `path`, unless `path` has all of
/// `wanted` already. Those that cannot be enabled are an error only if they are in `needed`.
Status enable_controllers(const std::string& root, const std::string& path, const std::vector<std::string>& wanted,
                          const std::vector<std::string>& needed);
}  // namespace unified

}  // namespace berth::cgroup
