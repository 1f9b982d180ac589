// Limits as writes to the files of cgroup v1: pure functions, one a controller.
//
// The order within a controller is that in which the kernel takes them on a new cgroup; where an older value of the
// same cgroup forbids one, the writer tries it again after the others (see write_limits).
#pragma once

#include <berth/base/error.hpp>
#include <berth/plan/container_plan.hpp>

#include <vector>

#include "cgroup/file_write.hpp"

namespace berth::cgroup::legacy {

Result<std::vector<FileWrite>> memory(const plan::Resources& resources);
Result<std::vector<FileWrite>> cpu(const plan::Resources& resources);
Result<std::vector<FileWrite>> cpuset(const plan::Resources& resources);
Result<std::vector<FileWrite>> pids(const plan::Resources& resources);
Result<std::vector<FileWrite>> blkio(const plan::Resources& resources);
Result<std::vector<FileWrite>> hugetlb(const plan::Resources& resources);
Result<std::vector<FileWrite>> rdma(const plan::Resources& resources);
Result<std::vector<FileWrite>> net_cls(const plan::Resources& resources);
Result<std::vector<FileWrite>> net_prio(const plan::Resources& resources);

}  // namespace berth::cgroup::legacy
