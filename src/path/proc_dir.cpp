#include <berth/path/proc_dir.hpp>
#include <berth/sys/file.hpp>
#include <berth/sys/mount.hpp>

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>

#include <cerrno>
#include <utility>

namespace berth::path {
namespace {

// PROC_ROOT_INO of the kernel's include/linux/proc_ns.h: on procfs, only its root has this number.
constexpr ino_t kProcRootInode = 1;

Result<sys::UniqueFd> new_instance(bool pids_only) {
  const sys::UniqueFd context = TRY(sys::fs_open("proc"));
  if (pids_only) {
    TRY(sys::fs_set_string(context.get(), "hidepid", "ptraceable"));
    TRY(sys::fs_set_string(context.get(), "subset", "pid"));
  }
  TRY(sys::fs_create(context.get(), "proc"));
  return sys::fs_mount(context.get(), MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, "proc");
}

Result<sys::UniqueFd> mounted_instance() {
  sys::UniqueFd fd = TRY(sys::open_at(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW));
  const long type = TRY(sys::filesystem_type(fd.get(), "/proc"));
  const struct stat status = TRY(sys::stat_fd(fd.get(), "/proc"));
  if (type != PROC_SUPER_MAGIC || status.st_ino != kProcRootInode) {
    return fail(ErrorKind::kSystem, "/proc is not the root of a procfs");
  }
  return fd;
}

// EPERM: a user namespace may mount procfs only for its own pid namespace and where /proc is fully visible.
Result<sys::UniqueFd> new_or_mounted(bool pids_only) {
  auto instance = new_instance(pids_only);
  if (instance || !instance.error().is(EPERM)) {
    return instance;
  }
  return mounted_instance();
}

}  // namespace

Result<ProcDir> ProcDir::open() {
  return ProcDir(TRY_CONTEXT(new_or_mounted(true), "private procfs"));
}

Result<ProcDir> ProcDir::open_full() {
  return ProcDir(TRY_CONTEXT(new_or_mounted(false), "private procfs"));
}

Result<ProcDir> ProcDir::open_mounted() {
  return ProcDir(TRY(mounted_instance()));
}

Result<sys::UniqueFd> ProcDir::open_file(const std::string& path, int flags) const {
  open_how how{};
  how.flags = static_cast<unsigned>(flags);
  // A mount on the way would be a container's (CVE-2025-52881); a magic link leaves procfs.
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS;
  return sys::open_at2(fd_.get(), path, how, "/proc/" + path);
}

Result<std::string> ProcDir::read(const std::string& path, std::size_t limit) const {
  const sys::UniqueFd fd = TRY(open_file(path, O_RDONLY));
  return sys::read_all(fd.get(), limit, "/proc/" + path);
}

Status ProcDir::write(const std::string& path, std::string_view data) const {
  const sys::UniqueFd fd = TRY(open_file(path, O_WRONLY));
  return sys::write_once(fd.get(), data, "/proc/" + path);
}

Result<sys::UniqueFd> ProcDir::reopen(int fd, int flags, std::string_view name) const {
  const sys::UniqueFd descriptors = TRY(open_file("self/fd", O_PATH | O_DIRECTORY));
  auto reopened = sys::open_at(descriptors.get(), std::to_string(fd), flags);
  if (!reopened) {
    return sys_fail(reopened.error().errnum(), "open({})", name);
  }
  return reopened;
}

}  // namespace berth::path
