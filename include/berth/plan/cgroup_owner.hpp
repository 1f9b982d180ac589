#pragma once

#include <berth/plan/container_plan.hpp>

#include <sys/types.h>

#include <optional>

namespace berth::plan {

/// The host's number of the user who is to own the container's cgroup: that of process.user, where the container has a
/// new cgroup namespace and /sys/fs/cgroup is a writable mount of "cgroup" (config-linux.md, "Cgroup ownership").
/// Nothing otherwise, and where the user namespace is another one's, whose mapping is not known here.
[[nodiscard]] std::optional<uid_t> cgroup_owner(const ContainerPlan& plan);

}  // namespace berth::plan
