// Attributes of the calling process that survive exec.
#pragma once

#include <berth/base/error.hpp>
#include <berth/path/proc_dir.hpp>
#include <berth/plan/container_plan.hpp>

#include <sys/types.h>

#include <optional>
#include <vector>

namespace berth::procattr {

/// Scheduler, io priority, memory policy, personality and rlimits, while the process may still raise them.
Status apply(const plan::Process& process);
/// The same, less the scheduler, which a child does not always inherit.
Status apply_inherited(const plan::Process& process);
/// The scheduler of another process, which the caller has not reaped; nothing if there is none to set.
Status set_scheduler(pid_t process, const std::optional<plan::Scheduler>& scheduler);

/// One list of process.execCPUAffinity; nothing for an empty one.
Status set_affinity(const std::vector<unsigned>& cpus);

/// process.oomScoreAdj: writes self/oom_score_adj, unless it has that value already.
Status set_oom_score(const path::ProcDir& proc, int oom_score_adj);

}  // namespace berth::procattr
