#include <charconv>
#include <optional>
#include <system_error>

#include "cgroup/layout.hpp"
#include "cgroup/update_limits.hpp"

namespace berth::cgroup::unified {
namespace {

// Nothing for "max", and for a file that is not there.
template <class Integer>
std::optional<Integer> number(std::string_view text) {
  Integer value{};
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc() ? std::optional(value) : std::nullopt;
}

void complete_cpu(plan::CpuLimits& cpu, std::string_view cpu_max) {
  const std::vector<std::string> words = split(cpu_max, ' ');
  if (words.size() != 2 || cpu.quota.has_value() == cpu.period.has_value()) {
    return;
  }
  if (cpu.quota) {
    cpu.period = number<std::uint64_t>(words[1]);
  } else {
    cpu.quota = number<std::int64_t>(words[0]).value_or(-1);
  }
}

void complete_memory(plan::MemoryLimits& memory, const InForce& in_force) {
  const std::optional<std::int64_t> limit = number<std::int64_t>(in_force.memory_max);
  const std::optional<std::int64_t> swap = number<std::int64_t>(in_force.memory_swap_max);
  if (memory.swap && !memory.limit) {
    memory.limit = limit;
  } else if (memory.limit && *memory.limit >= 0 && !memory.swap && limit && swap && *swap > 0) {
    memory.swap = *limit + *swap;
  }
}

}  // namespace

void complete(plan::Resources& resources, const InForce& in_force) {
  complete_cpu(resources.cpu, in_force.cpu_max);
  complete_memory(resources.memory, in_force);
}

}  // namespace berth::cgroup::unified
