// By which calls a process gets into the namespaces of a plan. Pure: the table of cases is in the unit tests.
#pragma once

#include <berth/plan/container_plan.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace berth::ns {

/// The order of calls that leads into the namespaces.
///
/// Direct: supervisor [enter the pid namespace] [unshare time] clone3(clone_flags) [go back]; the child joins the rest.
///
/// Staged, when a user namespace is joined, or a new one would take away the right to join others: supervisor
/// clone3(stage_flags); the stage joins everything, then clone3(CLONE_PARENT | clone_flags) makes the container's
/// process, a sibling, and the stage exits.
///
/// A cgroup namespace is always unshared last, by a process that is in its cgroup already: its root is the cgroup of
/// the process that makes it (cgroup_namespaces(7)).
struct SpawnPlan {
  bool staged = false;
  std::uint64_t stage_flags = 0;  ///< staged: CLONE_NEWUSER or 0
  std::uint64_t clone_flags = 0;  ///< of the clone3 that makes the container's process
  /// Indices into Namespaces::joined. The supervisor (direct) enters a pid namespace for its next child only.
  std::vector<std::size_t> join_before_clone;
  std::vector<std::size_t> join_in_child;
  bool unshare_time = false;    ///< by the process that calls clone3, which writes the offsets before it does
  bool unshare_cgroup = false;  ///< by the container's process
  /// By the container's process when it is root of the new user namespace: who makes an ipc namespace owns its mqueue.
  bool unshare_ipc = false;
  bool map_stage = false;  ///< staged: the id maps are the stage's; else those of the process that clone3 made
};

[[nodiscard]] SpawnPlan plan_spawn(const plan::Namespaces& namespaces);

}  // namespace berth::ns
