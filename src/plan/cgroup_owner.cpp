#include <berth/plan/cgroup_owner.hpp>

#include <linux/mount.h>
#include <sched.h>

#include <algorithm>

namespace berth::plan {
namespace {

bool is_writable_cgroup(const Mount& mount) {
  const std::uint64_t set = mount.attributes.set | mount.recursive_attributes.set;
  return mount.kind == MountKind::kCgroup && mount.source == "cgroup" && mount.destination == "/sys/fs/cgroup" &&
         (set & MOUNT_ATTR_RDONLY) == 0;
}

}  // namespace

std::optional<uid_t> cgroup_owner(const ContainerPlan& plan) {
  const Namespaces& namespaces = plan.namespaces;
  if (!namespaces.creates(CLONE_NEWCGROUP) || namespaces.joins(CLONE_NEWUSER) ||
      std::ranges::none_of(plan.rootfs.mounts, is_writable_cgroup)) {
    return std::nullopt;
  }
  const uid_t uid = plan.process.user.uid;
  if (!namespaces.creates(CLONE_NEWUSER)) {
    return uid;
  }
  for (const IdMapping& mapping : namespaces.uid_mappings) {
    if (uid >= mapping.container_id && uid - mapping.container_id < mapping.size) {
      return mapping.host_id + (uid - mapping.container_id);
    }
  }
  return std::nullopt;
}

}  // namespace berth::plan
