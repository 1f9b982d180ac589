// Writing limits to the files of a cgroup.
#pragma once

#include <berth/base/error.hpp>
#include <berth/cgroup/cgroup.hpp>

#include <vector>

#include "cgroup/file_write.hpp"

namespace berth::cgroup {

/// Writes in order. What the kernel refuses with EINVAL is tried once more after the others: memory and swap, or
/// period, quota and burst, bind each other, and which order is right depends on the values that the cgroup had before.
Status write_legacy_limits(const Placement& placement, const std::vector<FileWrite>& writes);
Status write_unified_limits(const Placement& placement, const std::vector<FileWrite>& writes);

/// Puts values back that were there before. Goes on after a failure and reports the first, after it has tried each
/// twice.
Status restore_legacy_limits(const Placement& placement, const std::vector<FileWrite>& values);
Status restore_unified_limits(const Placement& placement, const std::vector<FileWrite>& values);

/// memory/checkBeforeUpdate: refuses a memory limit below what is in use, which the kernel would enforce by killing.
/// cgroup2 only: v1 refuses by itself.
Status check_memory_in_use(const Placement& placement, const std::vector<FileWrite>& unified_writes);

}  // namespace berth::cgroup
