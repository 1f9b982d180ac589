#include <berth/ns/spawn_plan.hpp>

#include <sched.h>

namespace berth::ns {
namespace {

constexpr std::uint64_t flag(int value) {
  return static_cast<unsigned>(value);
}

constexpr std::uint64_t kNewTime = 0x00000080;  // CLONE_NEWTIME: shares its bit with CSIGNAL, so clone3 alone takes it

}  // namespace

SpawnPlan plan_spawn(const plan::Namespaces& namespaces) {
  SpawnPlan spawn;
  const bool new_user = namespaces.creates(flag(CLONE_NEWUSER));
  const bool new_time = namespaces.creates(kNewTime);
  const bool joined_user = namespaces.joins(CLONE_NEWUSER);

  spawn.staged = joined_user || (new_user && (!namespaces.joined.empty() || new_time));
  spawn.unshare_time = new_time;
  spawn.unshare_cgroup = namespaces.creates(flag(CLONE_NEWCGROUP));
  spawn.unshare_ipc = (new_user || joined_user) && namespaces.creates(flag(CLONE_NEWIPC));
  spawn.clone_flags = namespaces.created & ~(flag(CLONE_NEWCGROUP) | kNewTime);
  if (spawn.unshare_ipc) {
    spawn.clone_flags &= ~flag(CLONE_NEWIPC);
  }

  for (std::size_t index = 0; index < namespaces.joined.size(); ++index) {
    const bool before = spawn.staged || namespaces.joined[index].flag == CLONE_NEWPID;
    (before ? spawn.join_before_clone : spawn.join_in_child).push_back(index);
  }
  // A stage that joins nothing can be born in the new user namespace, which an unprivileged caller needs for
  // everything that follows. One that joins must do so with its caller's rights.
  if (spawn.staged && new_user && namespaces.joined.empty()) {
    spawn.stage_flags = flag(CLONE_NEWUSER);
    spawn.clone_flags &= ~flag(CLONE_NEWUSER);
    spawn.map_stage = true;
  }
  return spawn;
}

}  // namespace berth::ns
