#include <fmt/format.h>

#include "cgroup/legacy/limits.hpp"

namespace berth::cgroup::legacy {
namespace {

constexpr std::uint64_t kMinimumShares = 2;
constexpr std::uint64_t kMaximumShares = 262144;

FileWrite write(const char* property, const char* controller, const char* file, std::string value) {
  return {.property = std::string("/linux/resources/cpu/") + property,
          .controller = controller,
          .file = file,
          .value = std::move(value)};
}

}  // namespace

Result<std::vector<FileWrite>> cpu(const plan::Resources& resources) {
  const plan::CpuLimits& cpu = resources.cpu;
  std::vector<FileWrite> writes;
  // While idle, the kernel refuses shares (EINVAL), and it forgets them when idle becomes 1.
  if (cpu.idle && *cpu.idle == 0) {
    writes.push_back(write("idle", "cpu", "cpu.idle", "0"));
  }
  if (cpu.shares && cpu.idle != 1) {
    // The kernel would move the value into its range without a word.
    if (*cpu.shares < kMinimumShares || *cpu.shares > kMaximumShares) {
      return fail(ErrorKind::kConfig, "/linux/resources/cpu/shares is {}: cgroup v1 takes {} to {}", *cpu.shares,
                  kMinimumShares, kMaximumShares);
    }
    writes.push_back(write("shares", "cpu", "cpu.shares", fmt::to_string(*cpu.shares)));
  }
  if (cpu.period) {
    writes.push_back(write("period", "cpu", "cpu.cfs_period_us", fmt::to_string(*cpu.period)));
  }
  if (cpu.quota) {
    writes.push_back(write("quota", "cpu", "cpu.cfs_quota_us", fmt::to_string(*cpu.quota)));
  }
  if (cpu.burst) {  // at most the quota, so after it
    writes.push_back(write("burst", "cpu", "cpu.cfs_burst_us", fmt::to_string(*cpu.burst)));
    writes.back().may_be_missing = *cpu.burst == 0;  // before Linux 5.14 nothing can burst
  }
  if (cpu.idle && *cpu.idle != 0) {
    writes.push_back(write("idle", "cpu", "cpu.idle", fmt::to_string(*cpu.idle)));
  }
  if (cpu.realtime_period) {
    writes.push_back(write("realtimePeriod", "cpu", "cpu.rt_period_us", fmt::to_string(*cpu.realtime_period)));
  }
  if (cpu.realtime_runtime) {
    writes.push_back(write("realtimeRuntime", "cpu", "cpu.rt_runtime_us", fmt::to_string(*cpu.realtime_runtime)));
  }
  return writes;
}

}  // namespace berth::cgroup::legacy
