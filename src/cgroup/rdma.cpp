#include <fmt/format.h>

#include "cgroup/legacy/limits.hpp"
#include "cgroup/unified/limits.hpp"

namespace berth::cgroup {
namespace {

// The same file with the same meaning in both versions.
std::vector<FileWrite> rdma_writes(const plan::Resources& resources) {
  std::vector<FileWrite> writes;
  for (const plan::RdmaLimit& limit : resources.rdma) {
    std::string value = limit.device;
    if (limit.handles) {
      value += fmt::format(" hca_handle={}", *limit.handles);
    }
    if (limit.objects) {
      value += fmt::format(" hca_object={}", *limit.objects);
    }
    writes.push_back({.property = "/linux/resources/rdma/" + limit.device,
                      .controller = "rdma",
                      .file = "rdma.max",
                      .value = std::move(value)});
  }
  return writes;
}

}  // namespace

Result<std::vector<FileWrite>> legacy::rdma(const plan::Resources& resources) {
  return rdma_writes(resources);
}
Result<std::vector<FileWrite>> unified::rdma(const plan::Resources& resources) {
  return rdma_writes(resources);
}

}  // namespace berth::cgroup
