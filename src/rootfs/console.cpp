#include "rootfs/console.hpp"

#include <berth/sys/file.hpp>
#include <berth/sys/mount.hpp>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

namespace berth::rootfs {

Status bind_console(const path::RootDir& root, int slave) {
  constexpr mode_t kParentMode = 0755;
  constexpr mode_t kConsoleMode = 0600;
  const auto parent = TRY(root.make_parent("/dev/console", kParentMode));
  // mknod(2) and O_NOFOLLOW: a link in the image must not say where the file is made (CVE-2026-88264).
  auto made = sys::make_node(parent.directory.get(), parent.name, S_IFREG | kConsoleMode, 0);
  if (!made && !made.error().is(EEXIST)) {
    return sys_fail(made.error().errnum(), "mknod(<rootfs>/dev/console)");
  }
  open_how how{};
  how.flags = static_cast<unsigned>(O_PATH | O_NOFOLLOW);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  const sys::UniqueFd target = TRY(sys::open_at2(parent.directory.get(), parent.name, how, "<rootfs>/dev/console"));
  const struct stat status = TRY(sys::stat_fd(target.get(), "<rootfs>/dev/console"));
  if (!S_ISREG(status.st_mode) && !S_ISCHR(status.st_mode)) {
    return fail(ErrorKind::kSystem, "<rootfs>/dev/console is neither a file nor a device");
  }
  const sys::UniqueFd tree = TRY(sys::open_tree(slave, "", OPEN_TREE_CLONE, "pty"));
  return sys::move_mount(tree.get(), target.get(), "/dev/console");
}

}  // namespace berth::rootfs
