#include <fmt/format.h>

#include "cgroup/unified/limits.hpp"

namespace berth::cgroup::unified {
namespace {

FileWrite write(const char* property, const char* file, std::string value) {
  return {.property = std::string("/linux/resources/memory/") + property,
          .controller = "memory",
          .file = file,
          .value = std::move(value)};
}

std::string bytes_or_max(std::int64_t bytes) {
  return bytes < 0 ? "max" : fmt::to_string(bytes);
}

std::unexpected<Error> no_counterpart(const char* property, const char* instead) {
  Error error(ErrorKind::kConfig, fmt::format("/linux/resources/memory/{}: cgroup2 has no such limit", property));
  error.add_hint(instead);
  return std::unexpected(std::move(error));
}

Status refuse_what_only_v1_has(const plan::MemoryLimits& memory) {
  if (memory.kernel_tcp && *memory.kernel_tcp >= 0) {
    return no_counterpart("kernelTCP", "memory/limit counts socket buffers too; take this one out");
  }
  if (memory.swappiness) {
    return no_counterpart("swappiness", "use the sysctl vm.swappiness of the host, or memory/swap");
  }
  if (memory.disable_oom_killer == true) {
    return no_counterpart("disableOOMKiller", "process/oomScoreAdj -1000 protects processes from the OOM killer");
  }
  if (memory.use_hierarchy == false) {
    return no_counterpart("useHierarchy", "cgroup2 always counts the children's memory");
  }
  return {};
}

// memory.swap of config.json is memory and swap together, memory.swap.max is swap alone. Empty: leave it.
Result<std::string> swap_alone(const plan::MemoryLimits& memory) {
  if (!memory.swap) {
    // cgroup v1 lifts both when memory becomes unlimited; so do we.
    return memory.limit == -1 ? std::string("max") : std::string();
  }
  if (*memory.swap < 0) {
    return std::string("max");
  }
  if (!memory.limit || *memory.limit < 0) {
    return fail(
        ErrorKind::kConfig,
        "/linux/resources/memory/swap is {}: it holds memory and swap together, so memory/limit must be set too",
        *memory.swap);
  }
  if (*memory.swap < *memory.limit) {
    return fail(ErrorKind::kConfig,
                "/linux/resources/memory/swap is {}: it holds memory and swap together, so it cannot be less than "
                "memory/limit ({})",
                *memory.swap, *memory.limit);
  }
  return fmt::to_string(*memory.swap - *memory.limit);
}

}  // namespace

Result<std::vector<FileWrite>> memory(const plan::Resources& resources) {
  const plan::MemoryLimits& memory = resources.memory;
  TRY(refuse_what_only_v1_has(memory));
  std::vector<FileWrite> writes;
  if (const std::string swap = TRY(swap_alone(memory)); !swap.empty()) {
    writes.push_back(write("swap", "memory.swap.max", swap));
    // A kernel without swap (CONFIG_SWAP, swapaccount=0) has no file: it does not swap, or cannot limit it.
    writes.back().may_be_missing = swap == "max" || swap == "0";
  }
  if (memory.limit) {
    writes.push_back(write("limit", "memory.max", bytes_or_max(*memory.limit)));
  }
  if (memory.reservation) {
    writes.push_back(write("reservation", "memory.low", bytes_or_max(*memory.reservation)));
  }
  return writes;
}

}  // namespace berth::cgroup::unified
