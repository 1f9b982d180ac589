// Scheduling, memory policy, personality and resource limits of the calling process.
#pragma once

#include <berth/base/error.hpp>

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>

namespace berth::sys {

/// What sched_setattr(2) takes.
struct Scheduling {
  std::uint32_t policy = 0;  ///< SCHED_*
  std::uint64_t flags = 0;   ///< SCHED_FLAG_*
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime = 0;  ///< nanoseconds
  std::uint64_t deadline = 0;
  std::uint64_t period = 0;
};

/// sched_setattr(2) of a process, 0: the calling one.
Status set_scheduling(pid_t process, const Scheduling& scheduling);
/// ioprio_set(2): IOPRIO_CLASS_* and the priority within it.
Status set_io_priority(int io_class, int priority);
/// set_mempolicy(2): MPOL_* with flags.
Status set_memory_policy(int mode, std::span<const unsigned> nodes);
/// personality(2).
Status set_personality(std::uint32_t persona);

/// sched_setaffinity(2), with a mask as large as the highest CPU asks for.
Status set_affinity(std::span<const unsigned> cpus);

struct ResourceLimit {
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
};

/// RLIMIT_NOFILE for its number.
std::string resource_name(int resource);
/// prlimit(2).
Result<ResourceLimit> get_resource_limit(int resource);
Status set_resource_limit(int resource, const ResourceLimit& limit);

}  // namespace berth::sys
