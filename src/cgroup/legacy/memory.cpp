#include <fmt/format.h>

#include "cgroup/legacy/limits.hpp"

namespace berth::cgroup::legacy {
namespace {

FileWrite write(const char* property, const char* file, std::string value) {
  return {.property = std::string("/linux/resources/memory/") + property,
          .controller = "memory",
          .file = file,
          .value = std::move(value)};
}

}  // namespace

Result<std::vector<FileWrite>> memory(const plan::Resources& resources) {
  const plan::MemoryLimits& memory = resources.memory;
  std::vector<FileWrite> writes;
  // Only a cgroup without limits and children may change it.
  if (memory.use_hierarchy) {
    writes.push_back(write("useHierarchy", "memory.use_hierarchy", *memory.use_hierarchy ? "1" : "0"));
  }
  if (memory.limit) {
    writes.push_back(write("limit", "memory.limit_in_bytes", fmt::to_string(*memory.limit)));
  }
  if (memory.swap) {
    writes.push_back(write("swap", "memory.memsw.limit_in_bytes", fmt::to_string(*memory.swap)));
    // Without swap accounting nothing limits swap, which is what -1 asks for.
    writes.back().may_be_missing = *memory.swap == -1;
  } else if (memory.limit == -1) {
    // "No limit" for memory would stay under an older limit of memory and swap together.
    writes.push_back(write("limit", "memory.memsw.limit_in_bytes", "-1"));
    writes.back().may_be_missing = true;  // as above
  }
  if (memory.reservation) {
    writes.push_back(write("reservation", "memory.soft_limit_in_bytes", fmt::to_string(*memory.reservation)));
  }
  if (memory.kernel_tcp) {
    writes.push_back(write("kernelTCP", "memory.kmem.tcp.limit_in_bytes", fmt::to_string(*memory.kernel_tcp)));
  }
  if (memory.swappiness) {
    writes.push_back(write("swappiness", "memory.swappiness", fmt::to_string(*memory.swappiness)));
  }
  // false is what the kernel does anyway; Docker always writes it.
  if (memory.disable_oom_killer == true) {
    writes.push_back(write("disableOOMKiller", "memory.oom_control", "1"));
  }
  return writes;
}

}  // namespace berth::cgroup::legacy
