// Limits as writes to the files of cgroup2: pure functions, one a controller. A limit that cgroup2 has no counterpart
// for is an error, never dropped.
#pragma once

#include <berth/base/error.hpp>
#include <berth/plan/container_plan.hpp>

#include <cstdint>
#include <string_view>
#include <vector>

#include "cgroup/file_write.hpp"

namespace berth::cgroup::unified {

Result<std::vector<FileWrite>> memory(const plan::Resources& resources);
Result<std::vector<FileWrite>> cpu(const plan::Resources& resources);
Result<std::vector<FileWrite>> cpuset(const plan::Resources& resources);
Result<std::vector<FileWrite>> pids(const plan::Resources& resources);
Result<std::vector<FileWrite>> io(const plan::Resources& resources);
Result<std::vector<FileWrite>> hugetlb(const plan::Resources& resources);
Result<std::vector<FileWrite>> rdma(const plan::Resources& resources);
/// resources.unified, as it is; the controller is what stands before the first dot ("cgroup" for the core's files).
Result<std::vector<FileWrite>> verbatim(const plan::Resources& resources);

/// cpu.weight (1 to 10000, default 100) for cpu.shares (2 to 262144, default 1024): the curve through these three
/// points that runc and crun have used since 2025. The line before it gave the default share the weight 39.
std::uint64_t cpu_weight(std::uint64_t shares);
/// io.weight (1 to 10000) for blkio.weight (10 to 1000).
std::uint64_t io_weight(std::uint16_t blkio_weight);

}  // namespace berth::cgroup::unified
