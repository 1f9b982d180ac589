// Attributes of the calling process that survive exec.
#pragma once

#include <berth/base/error.hpp>
#include <berth/path/proc_dir.hpp>
#include <berth/plan/container_plan.hpp>

namespace berth::procattr {

/// Scheduler, io priority, memory policy, personality and rlimits, while the process may still raise them.
Status apply(const plan::Process& process);

/// process.oomScoreAdj: writes self/oom_score_adj, unless it has that value already.
Status set_oom_score(const path::ProcDir& proc, int oom_score_adj);

}  // namespace berth::procattr
