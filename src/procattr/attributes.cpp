#include <berth/procattr/attributes.hpp>
#include <berth/sys/process_attributes.hpp>

#include <sched.h>
#include <sys/resource.h>

#include <cerrno>
#include <charconv>
#include <string>
#include <string_view>

namespace berth::procattr {
namespace {

#ifndef SCHED_DEADLINE
constexpr std::uint32_t SCHED_DEADLINE = 6;
#endif

Status set_scheduler_of(pid_t process, const plan::Scheduler& scheduler) {
  Status status = sys::set_scheduling(process, {.policy = scheduler.policy,
                                                .flags = scheduler.flags,
                                                .nice = scheduler.nice,
                                                .priority = scheduler.priority,
                                                .runtime = scheduler.runtime,
                                                .deadline = scheduler.deadline,
                                                .period = scheduler.period});
  if (status) {
    return {};
  }
  Error& error = status.error();
  const bool deadline = scheduler.policy == SCHED_DEADLINE;
  if (error.is(EPERM)) {
    error.add_hint(deadline ? "it needs CAP_SYS_NICE, and the process must be allowed on all CPUs of its root domain"
                            : "it needs CAP_SYS_NICE, and for realtime policies on cgroup v1 a realtimeRuntime");
  } else if (error.is(EBUSY) && deadline) {
    error.add_hint("the CPUs have no such bandwidth left for SCHED_DEADLINE");
  } else if (error.is(EINVAL)) {
    error.add_hint(deadline ? "runtime <= deadline <= period, and runtime at least 1024 ns (sched(7))"
                            : "the priority or a flag does not suit the policy (sched(7))");
  }
  return status;
}

Status set_io_priority(const plan::IoPriority& priority) {
  Status status = sys::set_io_priority(priority.io_class, priority.priority);
  if (!status && status.error().is(EPERM)) {
    status.error().add_hint("IOPRIO_CLASS_RT needs CAP_SYS_ADMIN or CAP_SYS_NICE");
  }
  return status;
}

Status set_memory_policy(const plan::MemoryPolicy& policy) {
  Status status = sys::set_memory_policy(policy.mode, policy.nodes);
  if (status) {
    return {};
  }
  if (status.error().is(ENOSYS)) {
    status.error().add_hint("the kernel was built without NUMA");
  } else if (status.error().is(EINVAL)) {
    status.error().add_hint("a node does not exist or is outside the cpuset, or the kernel does not know the mode");
  }
  return status;
}

Status set_rlimit(const plan::Rlimit& rlimit) {
  Status status = sys::set_resource_limit(rlimit.resource, {.soft = rlimit.soft, .hard = rlimit.hard});
  if (status) {
    return {};
  }
  if (status.error().is(EPERM)) {
    const sys::ResourceLimit current = TRY(sys::get_resource_limit(rlimit.resource));
    // RLIMIT_NOFILE has a second ceiling, which no capability lifts.
    status.error().add_hint(rlimit.resource == RLIMIT_NOFILE && rlimit.hard <= current.hard
                                ? "above the sysctl fs.nr_open"
                                : fmt::format("raising the hard limit above {} needs CAP_SYS_RESOURCE", current.hard));
  }
  return status;
}

}  // namespace

Status apply(const plan::Process& process) {
  if (process.scheduler) {
    TRY(set_scheduler_of(0, *process.scheduler));
  }
  return apply_inherited(process);
}

Status set_scheduler(pid_t process, const std::optional<plan::Scheduler>& scheduler) {
  return scheduler ? set_scheduler_of(process, *scheduler) : Status();
}

Status apply_inherited(const plan::Process& process) {
  if (process.memory_policy) {
    TRY(set_memory_policy(*process.memory_policy));
  }
  if (process.io_priority) {
    TRY(set_io_priority(*process.io_priority));
  }
  if (process.personality) {
    TRY(sys::set_personality(*process.personality));
  }
  // Last, so that no limit is in the way of the others.
  for (const plan::Rlimit& rlimit : process.rlimits) {
    TRY(set_rlimit(rlimit));
  }
  return {};
}

Status set_affinity(const std::vector<unsigned>& cpus) {
  if (cpus.empty()) {
    return {};
  }
  Status status = sys::set_affinity(cpus);
  if (!status && status.error().is(EINVAL)) {
    status.error().add_hint("none of these CPUs exists, is online and in the cpuset");
  }
  return status;
}

Status set_oom_score(const path::ProcDir& proc, int oom_score_adj) {
  constexpr const char* kFile = "self/oom_score_adj";
  const std::string text = TRY(proc.read(kFile));
  int current = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), current);
  // Engines mostly ask for the score that the runtime was started with. A lower one than it once had needs a
  // capability, the same one does not.
  if (parsed.ec == std::errc() && current == oom_score_adj) {
    return {};
  }
  Status status = proc.write(kFile, std::to_string(oom_score_adj));
  if (!status && status.error().is(EACCES)) {
    status.error().add_hint(fmt::format("it is {}, and lowering it needs CAP_SYS_RESOURCE", current));
  }
  return status;
}

}  // namespace berth::procattr
