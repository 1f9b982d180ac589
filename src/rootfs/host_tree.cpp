// At the bottom of a mount namespace is a mount without a parent, which the kernel made when it booted and
// switch_root(8) left behind; on it is the host's root, and there is the rest. pivot_root(2) puts the container's root
// in the place of the host's, and then looks at every thread of the whole machine, whether it stood on the old root: a
// third of a millisecond with a thousand others alive, while no process can be made or end anywhere. Who is alone in
// its mount namespace knows that nobody did.
//
// pivot_root(2) refuses where the bottom is shared: what is detached there would be detached on the host as well.
// Nothing but statmount(2) can tell, so without it there is no other way than pivot_root(2).

#include "rootfs/host_tree.hpp"

#include <berth/sys/mount.hpp>
#include <berth/sys/process.hpp>

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

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
  const auto self = sys::Pidfd::open(::getpid());
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
