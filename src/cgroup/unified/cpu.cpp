#include <cmath>
#include <fmt/format.h>

#include "cgroup/unified/limits.hpp"

namespace berth::cgroup::unified {
namespace {

constexpr std::uint64_t kDefaultPeriod = 100000;  // microseconds, Documentation/admin-guide/cgroup-v2.rst
constexpr std::uint64_t kMinimumShares = 2;
constexpr std::uint64_t kMaximumShares = 262144;
constexpr std::uint64_t kMaximumWeight = 10000;

FileWrite write(const char* property, const char* controller, const char* file, std::string value) {
  return {.property = std::string("/linux/resources/cpu/") + property,
          .controller = controller,
          .file = file,
          .value = std::move(value)};
}

}  // namespace

std::uint64_t cpu_weight(std::uint64_t shares) {
  if (shares <= kMinimumShares) {
    return 1;
  }
  if (shares >= kMaximumShares) {
    return kMaximumWeight;
  }
  const double bits = std::log2(static_cast<double>(shares));
  const double exponent = (bits * bits + 125 * bits) / 612 - 7.0 / 34;
  return static_cast<std::uint64_t>(std::ceil(std::pow(10, exponent)));
}

Result<std::vector<FileWrite>> cpu(const plan::Resources& resources) {
  const plan::CpuLimits& cpu = resources.cpu;
  if ((cpu.realtime_runtime && *cpu.realtime_runtime != 0) || (cpu.realtime_period && *cpu.realtime_period != 0)) {
    return fail(ErrorKind::kConfig, "/linux/resources/cpu/{}: cgroup2 has no limits for real-time processes",
                cpu.realtime_runtime ? "realtimeRuntime" : "realtimePeriod");
  }
  std::vector<FileWrite> writes;
  // While idle, the kernel refuses a weight (EINVAL), and it forgets it when idle becomes 1.
  if (cpu.idle) {
    writes.push_back(write("idle", "cpu", "cpu.idle", fmt::to_string(*cpu.idle)));
    writes.back().may_be_missing = *cpu.idle == 0;  // before Linux 5.15 nothing is idle
  }
  if (cpu.shares && cpu.idle != 1) {
    writes.push_back(write("shares", "cpu", "cpu.weight", fmt::to_string(cpu_weight(*cpu.shares))));
  }
  if (cpu.quota || cpu.period) {
    const std::string quota = cpu.quota && *cpu.quota > 0 ? fmt::to_string(*cpu.quota) : "max";
    writes.push_back(write(cpu.quota ? "quota" : "period", "cpu", "cpu.max",
                           fmt::format("{} {}", quota, cpu.period.value_or(kDefaultPeriod))));
  }
  if (cpu.burst) {  // at most the quota, so after it
    writes.push_back(write("burst", "cpu", "cpu.max.burst", fmt::to_string(*cpu.burst)));
    writes.back().may_be_missing = *cpu.burst == 0;  // before Linux 5.14 nothing can burst
  }
  return writes;
}

}  // namespace berth::cgroup::unified
