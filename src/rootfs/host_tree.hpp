// How a mount namespace of the container's own loses the host's mounts without pivot_root(2).
#pragma once

#include <berth/base/error.hpp>

namespace berth::rootfs {

/// Detaches the host's tree from the calling process's mount namespace, in which nobody else may be, and makes the
/// mount below it the process's root and working directory. What is attached to "/" after that lies on the same mount
/// as a root that pivot_root(2) has put into the host's place. Every mount of the tree has to be a slave or private.
/// False where this cannot be done: before Linux 6.8; where a user namespace has locked the tree; where "/" does not
/// lie directly on the namespace's first mount; where that one is shared. Only the working directory has changed then.
Result<bool> leave_host_tree();

}  // namespace berth::rootfs
