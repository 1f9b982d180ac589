// Changing the limits of a cgroup that is in use.
#pragma once

#include <berth/base/error.hpp>
#include <berth/cgroup/cgroup.hpp>
#include <berth/plan/container_plan.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "cgroup/file_write.hpp"

namespace berth::cgroup {

/// Cgroup::update().
Status update_limits(const Placement& placement, const plan::Resources& asked);

/// Pure. The write that makes the file of `write` hold again what it holds now, which is `text`.
FileWrite undo_of(const FileWrite& write, std::string_view text);

namespace unified {
/// What cgroup2 keeps in another form than config.json has it, as a running cgroup has it now.
struct InForce {
  std::string cpu_max;  ///< the file's text: "50000 100000"; "" where there is no such file
  std::string memory_max;
  std::string memory_swap_max;
};
/// Pure. Adds to limits that are half of one file the other half: quota or period of cpu.max; memory/limit, without
/// which memory/swap has no translation; memory/swap where memory/limit changes and swap has a limit, as their sum
/// stays. No swap at all stays that.
void complete(plan::Resources& resources, const InForce& in_force);
}  // namespace unified

}  // namespace berth::cgroup
