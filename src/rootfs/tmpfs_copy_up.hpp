// tmpcopyup: a tmpfs that starts with what is in the directory below it.
#pragma once

#include <berth/base/error.hpp>

namespace berth::rootfs {

/// Copies everything in the directory `from` to the directory `to` (both may be O_PATH): files, directories, links
/// (as links) and nodes, with owner, mode, times and, of files and directories, extended attributes. Sockets are left
/// out: nobody listens at a copy.
Status copy_up(int from, int to);

}  // namespace berth::rootfs
