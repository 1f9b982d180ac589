#include "rootfs/host_kernel_mounts.hpp"

#include <berth/sys/file.hpp>
#include <berth/sys/mount.hpp>

#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "rootfs/mountinfo.hpp"

namespace berth::rootfs {
namespace {

Status cover(int mount) {
  const sys::UniqueFd context = TRY(sys::fs_open("tmpfs"));
  TRY(sys::fs_create(context.get(), "tmpfs"));
  const sys::UniqueFd empty = TRY(sys::fs_mount(context.get(), MOUNT_ATTR_RDONLY, "tmpfs"));
  return sys::move_mount(empty.get(), mount, "a mount of the host");
}

}  // namespace

std::vector<std::string> whole_kernel_mounts(std::string_view mountinfo) {
  std::vector<std::string> mount_points;
  for (const MountInfo& mount : parse_mountinfo(mountinfo)) {
    if (mount.root == "/" && is_kernel_file_system(mount.type)) {
      mount_points.push_back(mount.mount_point);
    }
  }
  return mount_points;
}

Result<std::vector<sys::UniqueFd>> open_host_kernel_mounts(const path::ProcDir& proc) {
  std::vector<sys::UniqueFd> mounts;
  for (const std::string& mount_point : whole_kernel_mounts(TRY(proc.read("self/mountinfo", kMountinfoLimit)))) {
    auto mount = sys::open_at(AT_FDCWD, mount_point, O_PATH | O_DIRECTORY);
    // Another mount hides this one's place: no path leads to it.
    if (!mount && mount.error().is(ENOENT)) {
      continue;
    }
    mounts.push_back(TRY(std::move(mount)));
  }
  return mounts;
}

Status detach_host_kernel_mounts(const std::vector<sys::UniqueFd>& mounts) {
  for (const sys::UniqueFd& mount : mounts) {
    TRY(sys::enter_directory(mount.get(), "a mount of the host"));
    auto detached = sys::detach_mount(".");
    if (!detached) {
      // EINVAL: locked, or no mount's root (another is on top of it); EPERM: not this user namespace's to take away.
      if (!detached.error().is(EINVAL) && !detached.error().is(EPERM)) {
        return detached;
      }
      TRY(cover(mount.get()));
    }
  }
  return {};
}

}  // namespace berth::rootfs
