#include <berth/plan/number_list.hpp>

#include <linux/sched.h>
#include <sys/personality.h>

#include <algorithm>

#include "plan/lowering.hpp"
#include "plan/memory_policy_names.hpp"
#include "plan/named.hpp"

namespace berth::plan {
namespace {

using spec::Problems;
using spec::quoted;

// SCHED_ISO of the specification is reserved and no kernel has it.
constexpr std::array<Named<std::uint32_t>, 6> kPolicies = {{
    {"SCHED_BATCH", SCHED_BATCH},
    {"SCHED_DEADLINE", SCHED_DEADLINE},
    {"SCHED_FIFO", SCHED_FIFO},
    {"SCHED_IDLE", SCHED_IDLE},
    {"SCHED_OTHER", SCHED_NORMAL},
    {"SCHED_RR", SCHED_RR},
}};

constexpr std::array<Named<std::uint64_t>, 7> kSchedulerFlags = {{
    {"SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN},
    {"SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS},
    {"SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY},
    {"SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM},
    {"SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK},
    {"SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX},
    {"SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN},
}};

// IOPRIO_CLASS_* of ioprio_set(2); linux/ioprio.h is no C++ (a parameter is called class).
constexpr std::array<Named<int>, 3> kIoClasses = {{
    {"IOPRIO_CLASS_BE", 2},
    {"IOPRIO_CLASS_IDLE", 3},
    {"IOPRIO_CLASS_RT", 1},
}};

constexpr std::array<Named<std::uint32_t>, 2> kPersonalities = {{{"LINUX", PER_LINUX}, {"LINUX32", PER_LINUX32}}};

// sched(7): the times of SCHED_DEADLINE are at least 1024 ns (DL_SCALE) and less than 2^63.
constexpr std::uint64_t kMinDeadlineTime = 1024;
constexpr std::uint64_t kMaxDeadlineTime = (std::uint64_t{1} << 63) - 1;

void check_deadline(Problems& problems, const Scheduler& plan) {
  const auto check = [&](std::string_view name, std::uint64_t value, std::uint64_t minimum, std::uint64_t maximum) {
    if (value < minimum || value > maximum) {
      problems.add(fmt::format("/process/scheduler/{}", name), fmt::format("{}", value),
                   fmt::format("nanoseconds from {} to {}", minimum, maximum));
    }
  };
  check("runtime", plan.runtime, kMinDeadlineTime, kMaxDeadlineTime);
  check("deadline", plan.deadline, std::max(plan.runtime, kMinDeadlineTime), kMaxDeadlineTime);
  if (plan.period != 0) {  // else the kernel takes the deadline
    check("period", plan.period, std::max(plan.deadline, kMinDeadlineTime), kMaxDeadlineTime);
  }
}

// sched_setattr(2): which of the values belong to the policy, and their ranges.
void check_scheduler(Problems& problems, const spec::Scheduler& entry, const Scheduler& plan) {
  const bool realtime = plan.policy == SCHED_FIFO || plan.policy == SCHED_RR;
  const bool deadline = plan.policy == SCHED_DEADLINE;
  if (plan.nice < -20 || plan.nice > 19) {
    problems.add("/process/scheduler/nice", fmt::format("{}", plan.nice), "an integer from -20 to 19");
  }
  const std::int32_t priority = entry.priority.value_or(0);
  if (realtime ? priority < 1 || priority > 99 : priority != 0) {
    problems.add("/process/scheduler/priority", fmt::format("{}", priority),
                 realtime ? "an integer from 1 to 99" : fmt::format("0 or nothing with {}", entry.policy));
  }
  if (deadline) {
    check_deadline(problems, plan);
    return;
  }
  for (const auto& [value, name] :
       {std::pair{plan.runtime, "runtime"}, std::pair{plan.deadline, "deadline"}, std::pair{plan.period, "period"}}) {
    if (value != 0) {
      problems.add(fmt::format("/process/scheduler/{}", name), fmt::format("{}", value),
                   fmt::format("nothing with {}", entry.policy));
    }
  }
}

void lower_scheduler(Lowering& lowering, const spec::Scheduler& entry) {
  const std::uint32_t* policy = find(kPolicies, entry.policy);
  if (policy == nullptr) {
    lowering.problems.add("/process/scheduler/policy", quoted(entry.policy), one_of(kPolicies));
    return;
  }
  Scheduler plan;
  plan.policy = *policy;
  plan.nice = entry.nice.value_or(0);
  plan.priority = static_cast<std::uint32_t>(entry.priority.value_or(0));
  plan.runtime = entry.runtime.value_or(0);
  plan.deadline = entry.deadline.value_or(0);
  plan.period = entry.period.value_or(0);
  for (std::size_t index = 0; index < entry.flags.size(); ++index) {
    if (const std::uint64_t* flag = find(kSchedulerFlags, entry.flags[index]); flag != nullptr) {
      plan.flags |= *flag;
    } else {
      lowering.problems.add(fmt::format("/process/scheduler/flags/{}", index), quoted(entry.flags[index]),
                            one_of(kSchedulerFlags));
    }
  }
  check_scheduler(lowering.problems, entry, plan);
  lowering.plan.process.scheduler = plan;
}

void lower_io_priority(Lowering& lowering, const spec::IoPriority& entry) {
  const int* io_class = find(kIoClasses, entry.io_class);
  if (io_class == nullptr) {
    lowering.problems.add("/process/ioPriority/class", quoted(entry.io_class), one_of(kIoClasses));
    return;
  }
  if (entry.priority < 0 || entry.priority > 7) {
    lowering.problems.add("/process/ioPriority/priority", fmt::format("{}", entry.priority), "an integer from 0 to 7");
  }
  lowering.plan.process.io_priority = IoPriority{*io_class, entry.priority};
}

void lower_personality(Lowering& lowering, const spec::Personality& entry) {
  const std::uint32_t* domain = find(kPersonalities, entry.domain);
  if (domain == nullptr) {
    lowering.problems.add("/linux/personality/domain", quoted(entry.domain), one_of(kPersonalities));
    return;
  }
  if (!entry.flags.empty()) {
    lowering.problems.add("/linux/personality/flags", quoted(entry.flags.front()),
                          "none: the specification has no flag yet");
  }
  lowering.plan.process.personality = *domain;
}

// set_mempolicy(2): which modes take nodes and flags.
void check_memory_policy(Problems& problems, const spec::MemoryPolicy& entry, int mode, int flags) {
  const bool without_nodes = mode == MPOL_DEFAULT || mode == MPOL_LOCAL;
  if (without_nodes && !entry.nodes.empty()) {
    problems.add("/linux/memoryPolicy/nodes", quoted(entry.nodes), fmt::format("nothing with {}", entry.mode));
  } else if (!without_nodes && mode != MPOL_PREFERRED && entry.nodes.empty()) {
    problems.add("/linux/memoryPolicy/nodes", "nothing", fmt::format("memory nodes for {}", entry.mode));
  }
  const auto refuse = [&](std::string_view expected) {
    problems.add("/linux/memoryPolicy/flags", quoted(fmt::format("{}", fmt::join(entry.flags, ", "))), expected);
  };
  if (flags != 0 && (without_nodes || entry.nodes.empty())) {
    refuse("no flag without nodes");
  } else if ((flags & MPOL_F_STATIC_NODES) != 0 && (flags & MPOL_F_RELATIVE_NODES) != 0) {
    refuse("one of MPOL_F_RELATIVE_NODES, MPOL_F_STATIC_NODES");
  } else if ((flags & MPOL_F_NUMA_BALANCING) != 0 && mode != MPOL_BIND && mode != MPOL_PREFERRED_MANY) {
    refuse("MPOL_F_NUMA_BALANCING with MPOL_BIND or MPOL_PREFERRED_MANY only");
  }
}

void lower_memory_policy(Lowering& lowering, const spec::MemoryPolicy& entry) {
  const int* mode = find(kMemoryPolicyModes, entry.mode);
  if (mode == nullptr) {
    lowering.problems.add("/linux/memoryPolicy/mode", quoted(entry.mode), one_of(kMemoryPolicyModes));
    return;
  }
  int flags = 0;
  for (std::size_t index = 0; index < entry.flags.size(); ++index) {
    if (const int* flag = find(kMemoryPolicyFlags, entry.flags[index]); flag != nullptr) {
      flags |= *flag;
    } else {
      lowering.problems.add(fmt::format("/linux/memoryPolicy/flags/{}", index), quoted(entry.flags[index]),
                            one_of(kMemoryPolicyFlags));
    }
  }
  const auto nodes = parse_number_list(entry.nodes, kMaxNode);
  if (!nodes) {
    lowering.problems.add("/linux/memoryPolicy/nodes", quoted(entry.nodes), kNumberList);
    return;
  }
  check_memory_policy(lowering.problems, entry, *mode, flags);
  lowering.plan.process.memory_policy = MemoryPolicy{*mode | flags, *nodes};
}

std::vector<unsigned> lower_affinity(Problems& problems, const std::string& list, std::string_view name) {
  auto cpus = parse_number_list(list, kMaxCpu);
  if (!cpus) {
    problems.add(fmt::format("/process/execCPUAffinity/{}", name), quoted(list), kNumberList);
  }
  return std::move(cpus).value_or(std::vector<unsigned>());
}

}  // namespace

void lower_scheduling(Lowering& lowering, const spec::Process& process) {
  if (process.scheduler) {
    lower_scheduler(lowering, *process.scheduler);
  }
  if (process.io_priority) {
    lower_io_priority(lowering, *process.io_priority);
  }
  if (process.exec_cpu_affinity) {
    ExecAffinity& plan = lowering.plan.process.exec_affinity;
    plan.initial = lower_affinity(lowering.problems, process.exec_cpu_affinity->initial, "initial");
    plan.final = lower_affinity(lowering.problems, process.exec_cpu_affinity->final, "final");
  }
}

void lower_execution_domain(Lowering& lowering) {
  if (lowering.linux.personality) {
    lower_personality(lowering, *lowering.linux.personality);
  }
  if (lowering.linux.memory_policy) {
    lower_memory_policy(lowering, *lowering.linux.memory_policy);
  }
}

}  // namespace berth::plan
