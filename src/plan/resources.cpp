#include <berth/base/log.hpp>
#include <berth/plan/number_list.hpp>

#include <charconv>
#include <limits>

#include "plan/lowering.hpp"
#include "plan/resource_checks.hpp"

namespace berth::plan {
namespace {

using spec::Problems;
using spec::quoted;

// The kernel's bounds of cpu.cfs_quota_us and cpu.cfs_period_us, in microseconds.
constexpr std::int64_t kMinQuota = 1000;
constexpr std::uint64_t kMinPeriod = 1000;
constexpr std::uint64_t kMaxPeriod = 1'000'000;
constexpr std::uint64_t kMaxSwappiness = 100;

// Engines write 0 for "not set" where 0 can be no limit.
template <class T>
std::optional<T> unless_zero(const std::optional<T>& value) {
  return value == T{0} ? std::nullopt : value;
}

// -1 is no limit; less than that is nothing.
std::optional<std::int64_t> lower_bytes(Problems& problems, const std::optional<std::int64_t>& value,
                                        std::string_view name) {
  if (value && *value < -1) {
    problems.add(fmt::format("/linux/resources/memory/{}", name), fmt::format("{}", *value),
                 "a number of bytes, or -1 for no limit");
  }
  return unless_zero(value);
}

void lower_memory(Problems& problems, const spec::MemoryResources& entry, MemoryLimits& plan) {
  plan.limit = lower_bytes(problems, entry.limit, "limit");
  plan.reservation = lower_bytes(problems, entry.reservation, "reservation");
  plan.swap = lower_bytes(problems, entry.swap, "swap");
  // runtime-spec 1.0.2: NOT RECOMMENDED. Linux 5.16 gave the limit up, and cgroup2 never had it.
  if (const auto kernel = lower_bytes(problems, entry.kernel, "kernel"); kernel && *kernel != -1) {
    log::warning("/linux/resources/memory/kernel has no effect: memory/limit counts kernel memory too");
  }
  plan.kernel_tcp = lower_bytes(problems, entry.kernel_tcp, "kernelTCP");
  if (plan.kernel_tcp == -1) {
    plan.kernel_tcp.reset();  // as old engines write it for "no limit"; recent kernels have no file for it
  }
  if (plan.swap && plan.limit && *plan.swap != -1 && (*plan.limit == -1 || *plan.swap < *plan.limit)) {
    problems.add("/linux/resources/memory/swap", fmt::format("{}", *plan.swap),
                 fmt::format("at least memory/limit, {}: it counts memory and swap together", *plan.limit));
  }
  if (entry.swappiness && *entry.swappiness > kMaxSwappiness) {
    problems.add("/linux/resources/memory/swappiness", fmt::format("{}", *entry.swappiness),
                 fmt::format("an integer from 0 to {}", kMaxSwappiness));
  }
  plan.swappiness = entry.swappiness;
  plan.disable_oom_killer = entry.disable_oom_killer;
  plan.use_hierarchy = entry.use_hierarchy;
  plan.check_before_update = entry.check_before_update.value_or(false);
}

void check_list(Problems& problems, const std::string& list, unsigned maximum, std::string_view pointer) {
  if (!parse_number_list(list, maximum)) {
    problems.add(pointer, quoted(list), kNumberList);
  }
}

void lower_cpu(Problems& problems, const spec::CpuResources& entry, CpuLimits& plan) {
  plan = entry;
  plan.shares = unless_zero(entry.shares);
  plan.quota = unless_zero(entry.quota);
  plan.period = unless_zero(entry.period);
  plan.realtime_runtime = unless_zero(entry.realtime_runtime);
  plan.realtime_period = unless_zero(entry.realtime_period);
  if (plan.quota && *plan.quota < 0) {
    plan.quota = -1;  // to the kernel, every negative quota is no limit
  } else if (plan.quota && *plan.quota < kMinQuota) {
    problems.add("/linux/resources/cpu/quota", fmt::format("{}", *plan.quota),
                 fmt::format("at least {} microseconds, or -1 for no limit", kMinQuota));
  }
  if (plan.period && (*plan.period < kMinPeriod || *plan.period > kMaxPeriod)) {
    problems.add("/linux/resources/cpu/period", fmt::format("{}", *plan.period),
                 fmt::format("microseconds from {} to {}", kMinPeriod, kMaxPeriod));
  }
  if (plan.burst && plan.quota && *plan.quota > 0 && *plan.burst > static_cast<std::uint64_t>(*plan.quota)) {
    problems.add("/linux/resources/cpu/burst", fmt::format("{}", *plan.burst),
                 fmt::format("at most the quota, {}", *plan.quota));
  }
  if (plan.idle && *plan.idle != 0 && *plan.idle != 1) {
    problems.add("/linux/resources/cpu/idle", fmt::format("{}", *plan.idle), "0 or 1");
  }
  check_list(problems, plan.cpus, kMaxCpu, "/linux/resources/cpu/cpus");
  check_list(problems, plan.mems, kMaxNode, "/linux/resources/cpu/mems");
}

void lower_pids(Lowering& lowering) {
  const std::optional<std::int64_t>& limit = lowering.linux.resources.pids.limit;
  if (!limit) {
    return;
  }
  if (*limit < 0) {
    lowering.plan.resources.pids_limit = -1;
  } else if (*limit > 0 || zero_pids_is_a_limit(lowering.config.oci_version)) {
    lowering.plan.resources.pids_limit = *limit;
  }
}

// The number of a device in a rule; -1, as absence, stands for every number.
std::optional<std::uint32_t> lower_device_number(Problems& problems, const std::optional<std::int64_t>& number,
                                                 const std::string& pointer) {
  if (!number || *number == -1) {
    return std::nullopt;
  }
  if (*number < 0 || *number > std::numeric_limits<std::uint32_t>::max()) {
    problems.add(pointer, fmt::format("{}", *number), "a device number, or -1 for every number");
  }
  return static_cast<std::uint32_t>(*number);
}

DeviceRule lower_device_rule(Problems& problems, const spec::DeviceRule& entry, std::size_t index) {
  const auto pointer = [&](std::string_view name) {
    return fmt::format("/linux/resources/devices/{}/{}", index, name);
  };
  DeviceRule rule;
  rule.allow = entry.allow;
  if (entry.type == "b" || entry.type == "c") {
    rule.type = entry.type.front();
  } else if (!entry.type.empty() && entry.type != "a") {
    problems.add(pointer("type"), quoted(entry.type), "one of a, b, c");
  }
  rule.major = lower_device_number(problems, entry.major, pointer("major"));
  rule.minor = lower_device_number(problems, entry.minor, pointer("minor"));
  if (entry.access.empty() || entry.access.find_first_not_of("rwm") != std::string::npos) {
    problems.add(pointer("access"), quoted(entry.access), "some of the letters r, w and m");
  }
  rule.read = entry.access.find('r') != std::string::npos;
  rule.write = entry.access.find('w') != std::string::npos;
  rule.mknod = entry.access.find('m') != std::string::npos;
  return rule;
}

void lower_network(const spec::NetworkResources& entry, Resources& plan) {
  plan.network_class_id = unless_zero(entry.class_id);  // 0 is the class of every new cgroup
  plan.network_priorities = entry.priorities;
}

void lower_unified(Lowering& lowering) {
  for (const auto& [file, value] : lowering.linux.resources.unified) {
    // A name that is a path could leave the container's cgroup (GHSA-5g49-rx9x-qfc6).
    const std::size_t dot = file.find('.');
    if (file.find('/') != std::string::npos || dot == 0 || dot == std::string::npos) {
      lowering.problems.add("/linux/resources/unified" + spec::pointer_step(file), quoted(file),
                            "the name of a cgroup2 file, as memory.high");
    }
    lowering.plan.resources.unified.emplace_back(file, value);
  }
}

}  // namespace

bool zero_pids_is_a_limit(std::string_view oci_version) {
  unsigned major = 0;
  unsigned minor = 0;
  const char* const end = oci_version.data() + oci_version.size();
  const auto [dot, error] = std::from_chars(oci_version.data(), end, major);
  if (error == std::errc() && dot != end) {
    std::from_chars(dot + 1, end, minor);
  }
  return major > 1 || (major == 1 && minor >= 3);
}

void lower_resources(Lowering& lowering) {
  const spec::Resources& entry = lowering.linux.resources;
  Resources& plan = lowering.plan.resources;
  Problems& problems = lowering.problems;
  plan.devices.reserve(entry.devices.size());
  for (std::size_t index = 0; index < entry.devices.size(); ++index) {
    plan.devices.push_back(lower_device_rule(problems, entry.devices[index], index));
  }
  lower_memory(problems, entry.memory, plan.memory);
  lower_cpu(problems, entry.cpu, plan.cpu);
  lower_pids(lowering);
  lower_block_io(problems, entry.block_io, plan.block_io);
  lower_hugepages(problems, entry.hugepage_limits, plan.hugepages);
  for (const auto& [device, limit] : entry.rdma) {
    plan.rdma.push_back({device, limit.hca_handles, limit.hca_objects});
  }
  lower_network(entry.network, plan);
  lower_unified(lowering);
}

Result<Update> lower_update(const spec::Resources& resources, const spec::IntelRdt& intel_rdt,
                            const std::string& oci_version) {
  spec::Config config;
  config.oci_version = oci_version;
  config.linux.emplace().resources = resources;
  config.linux->intel_rdt = intel_rdt;
  Problems problems;
  ContainerPlan plan;
  const HostFacts facts;
  Lowering lowering{config, *config.linux, config.oci_version, facts, problems, plan};
  lower_resources(lowering);
  lower_intel_rdt(lowering);
  if (!problems.empty()) {
    return std::unexpected(problems.error());
  }
  return Update{.resources = std::move(plan.resources), .schemata = std::move(plan.intel_rdt->schemas)};
}

}  // namespace berth::plan
