#include <berth/sys/process_attributes.hpp>

#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

namespace berth::sys {
namespace {

// struct sched_attr as of Linux 3.14 (SCHED_ATTR_SIZE_VER0). C libraries and kernel headers each define their own
// from some version on, and get in each other's way.
struct SchedulingRequest {
  std::uint32_t size;
  std::uint32_t policy;
  std::uint64_t flags;
  std::int32_t nice;
  std::uint32_t priority;
  std::uint64_t runtime;
  std::uint64_t deadline;
  std::uint64_t period;
};
static_assert(sizeof(SchedulingRequest) == 48);

// In the order of their numbers on all architectures that number them as asm-generic does; alpha, mips and sparc
// exchange some, which the constants know.
constexpr std::array<std::pair<int, const char*>, 16> kResources = {{
    {RLIMIT_CPU, "RLIMIT_CPU"},
    {RLIMIT_FSIZE, "RLIMIT_FSIZE"},
    {RLIMIT_DATA, "RLIMIT_DATA"},
    {RLIMIT_STACK, "RLIMIT_STACK"},
    {RLIMIT_CORE, "RLIMIT_CORE"},
    {RLIMIT_RSS, "RLIMIT_RSS"},
    {RLIMIT_NPROC, "RLIMIT_NPROC"},
    {RLIMIT_NOFILE, "RLIMIT_NOFILE"},
    {RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK"},
    {RLIMIT_AS, "RLIMIT_AS"},
    {RLIMIT_LOCKS, "RLIMIT_LOCKS"},
    {RLIMIT_SIGPENDING, "RLIMIT_SIGPENDING"},
    {RLIMIT_MSGQUEUE, "RLIMIT_MSGQUEUE"},
    {RLIMIT_NICE, "RLIMIT_NICE"},
    {RLIMIT_RTPRIO, "RLIMIT_RTPRIO"},
    {RLIMIT_RTTIME, "RLIMIT_RTTIME"},
}};

// Of linux/ioprio.h, which no C++ compiler takes: it has a parameter named "class".
constexpr int kIoPriorityWhoProcess = 1;
constexpr int kIoPriorityClassShift = 13;

constexpr unsigned kWordBits = 8 * sizeof(unsigned long);

std::vector<unsigned long> bit_mask(std::span<const unsigned> numbers) {
  std::vector<unsigned long> mask;
  for (const unsigned number : numbers) {
    mask.resize(std::max<std::size_t>(mask.size(), number / kWordBits + 1));
    mask[number / kWordBits] |= 1UL << (number % kWordBits);
  }
  return mask;
}

std::string limit_text(std::uint64_t value) {
  return value == RLIM64_INFINITY ? "unlimited" : std::to_string(value);
}

}  // namespace

Status set_scheduling(pid_t process, const Scheduling& scheduling) {
  SchedulingRequest request = {
      .size = sizeof(SchedulingRequest),
      .policy = scheduling.policy,
      .flags = scheduling.flags,
      .nice = scheduling.nice,
      .priority = scheduling.priority,
      .runtime = scheduling.runtime,
      .deadline = scheduling.deadline,
      .period = scheduling.period,
  };
  if (::syscall(SYS_sched_setattr, process, &request, 0) < 0) {
    return sys_fail(errno, "sched_setattr(policy {}, flags {:#x}, nice {}, priority {}, {}/{}/{} ns)",
                    scheduling.policy, scheduling.flags, scheduling.nice, scheduling.priority, scheduling.runtime,
                    scheduling.deadline, scheduling.period);
  }
  return {};
}

Status set_io_priority(int io_class, int priority) {
  if (::syscall(SYS_ioprio_set, kIoPriorityWhoProcess, 0, io_class << kIoPriorityClassShift | priority) < 0) {
    return sys_fail(errno, "ioprio_set(class {}, priority {})", io_class, priority);
  }
  return {};
}

Status set_affinity(std::span<const unsigned> cpus) {
  const std::vector<unsigned long> mask = bit_mask(cpus);
  if (::syscall(SYS_sched_setaffinity, 0, mask.size() * sizeof(unsigned long), mask.data()) < 0) {
    return sys_fail(errno, "sched_setaffinity(CPUs {})", fmt::join(cpus, ","));
  }
  return {};
}

Status set_memory_policy(int mode, std::span<const unsigned> nodes) {
  const std::vector<unsigned long> mask = bit_mask(nodes);
  // The kernel takes one bit less than it is told.
  const unsigned long bits = mask.empty() ? 0 : mask.size() * kWordBits + 1;
  if (::syscall(SYS_set_mempolicy, mode, mask.empty() ? nullptr : mask.data(), bits) < 0) {
    return sys_fail(errno, "set_mempolicy(mode {:#x}, nodes {})", mode, fmt::join(nodes, ","));
  }
  return {};
}

Status set_personality(std::uint32_t persona) {
  if (::personality(persona) < 0) {
    return sys_fail(errno, "personality({:#x})", persona);
  }
  return {};
}

std::string resource_name(int resource) {
  const auto* const found = std::ranges::find(kResources, resource, &std::pair<int, const char*>::first);
  return found != kResources.end() ? found->second : fmt::format("resource {}", resource);
}

Result<ResourceLimit> get_resource_limit(int resource) {
  rlimit64 limit{};
  if (::syscall(SYS_prlimit64, 0, resource, nullptr, &limit) < 0) {
    return sys_fail(errno, "getrlimit({})", resource_name(resource));
  }
  return ResourceLimit{.soft = limit.rlim_cur, .hard = limit.rlim_max};
}

Status set_resource_limit(int resource, const ResourceLimit& limit) {
  const rlimit64 request = {.rlim_cur = limit.soft, .rlim_max = limit.hard};
  if (::syscall(SYS_prlimit64, 0, resource, &request, nullptr) < 0) {
    return sys_fail(errno, "setrlimit({}, soft {}, hard {})", resource_name(resource), limit_text(limit.soft),
                    limit_text(limit.hard));
  }
  return {};
}

}  // namespace berth::sys
