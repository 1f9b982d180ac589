// At the bottom of a mount namespace is a mount without a parent. Usually it is what the kernel made when it booted and
// switch_root(8) left behind, and the host's root lies on it. pivot_root(2) puts the container's root in the place of
// the host's, and then looks at every thread of the whole machine to see whether it stands on the old root: 0.4 ms
// beside a thousand containers, in which no process can be made or end. Who is alone in its mount namespace knows the
// answer.
//
// pivot_root(2) refuses where the bottom is shared: what is detached there can be detached on the host as well. Whether
// it is, only statmount(2) says, because no path leads to that mount; so without it there is no other way than
// pivot_root(2).

#include "rootfs/host_tree.hpp"

#include <berth/sys/mount.hpp>
#include <berth/sys/process.hpp>

#include <sched.h>
#include <sys/mount.h>

#include <cstdint>
#include <optional>

namespace berth::rootfs {
namespace {

// The id of the namespace's first mount, if "/" is just above it and detaching it stays in this namespace.
std::optional<std::uint64_t> bottom_below_root() {
  const auto root = sys::root_mount();
  if (!root || !root->is_root) {
    return std::nullopt;
  }
  const auto host = sys::mount_status(root->mount_id);
  if (!host) {
    return std::nullopt;
  }
  const auto bottom = sys::mount_status(host->parent_id);
  const bool usable = bottom && host->parent_id != root->mount_id && bottom->parent_id == host->parent_id &&
                      (bottom->propagation & MS_SHARED) == 0;
  return usable ? std::optional(host->parent_id) : std::nullopt;
}

}  // namespace

Result<bool> leave_host_tree() {
  const auto bottom = bottom_below_root();
  if (!bottom) {
    return false;
  }
  const auto self = sys::Pidfd::open(sys::own_pid());
  // To "/", where it is already: whether it may (CAP_SYS_CHROOT, as setns(2) wants it) has to be known while there is a
  // way back.
  if (!self || !sys::enter_root() || !sys::change_root_here() || !sys::detach_mount("/")) {
    return false;
  }
  // This leads to the root of the namespace, and onto whatever is mounted there.
  TRY(sys::set_namespace(self->get(), CLONE_NEWNS, "the own mount namespace"));
  if (TRY(sys::root_mount()).mount_id != *bottom) {
    return fail(ErrorKind::kSystem, "detach the host's mounts: what is below them is not the namespace's first mount");
  }
  return true;
}

}  // namespace berth::rootfs
