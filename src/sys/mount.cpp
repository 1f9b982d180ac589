#include <berth/sys/mount.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

// glibc's <sys/mount.h> and <linux/mount.h> cannot be included together before glibc 2.37.
extern "C" {
int mount(const char* source, const char* target, const char* type, unsigned long flags, const void* data) noexcept;
int umount2(const char* target, int flags) noexcept;
}

namespace berth::sys {
namespace {

constexpr unsigned long kMsMove = 8192;  // MS_MOVE
constexpr int kMntDetach = 2;            // MNT_DETACH

// <linux/stat.h> and <linux/mount.h> of Linux 6.8.
constexpr unsigned kStatxMntIdUnique = 0x4000;
constexpr long kSysStatmount = 457;
constexpr std::uint64_t kStatmountMntBasic = 2;
struct MntIdReq {
  std::uint32_t size = sizeof(MntIdReq);
  std::uint32_t spare = 0;
  std::uint64_t mnt_id = 0;
  std::uint64_t param = 0;
};
// The beginning of struct statmount; the kernel writes as much as there is room for.
struct Statmount {
  std::uint32_t size;
  std::uint32_t mnt_opts;
  std::uint64_t mask;
  std::array<std::uint64_t, 3> of_super_block;
  std::uint64_t mnt_id;
  std::uint64_t mnt_parent_id;
  std::array<std::uint32_t, 2> old_ids;
  std::uint64_t mnt_attr;
  std::uint64_t mnt_propagation;
};

// The kernel queues messages of the form "e overlay: lowerdir is missing" on the context; the last error explains.
std::string context_message(int context) {
  std::string explanation;
  std::array<char, 1024> buffer;
  for (;;) {
    const ssize_t length = ::read(context, buffer.data(), buffer.size());
    if (length <= 0) {
      return explanation;
    }
    std::string_view message(buffer.data(), static_cast<std::size_t>(length));
    if (message.starts_with("e ")) {
      message.remove_prefix(2);
      while (message.ends_with('\n')) {
        message.remove_suffix(1);
      }
      explanation = fmt::format(" [{}]", message);
    }
  }
}

// An error of a call that old kernels do not have says so; there is no way around these calls that is as safe.
std::unexpected<Error> mount_api_failure(int errnum, std::string operation) {
  Error error = Error::system(errnum, std::move(operation));
  if (errnum == ENOSYS) {
    error.add_hint("the mount API on descriptors needs Linux 5.12, or a seccomp filter around this process forbids it");
  }
  return std::unexpected(std::move(error));
}

Status attach(int mount, int directory, const char* path, unsigned flags, std::string_view name) {
  if (::syscall(SYS_move_mount, mount, "", directory, path, MOVE_MOUNT_F_EMPTY_PATH | flags) < 0) {
    const int errnum = errno;
    return mount_api_failure(errnum, fmt::format("move_mount({})", name));
  }
  return {};
}

Status configure(int context, unsigned command, const char* key, const char* value, std::string_view name) {
  if (::syscall(SYS_fsconfig, context, command, key, value, 0) < 0) {
    const int errnum = errno;
    return sys_fail(errnum, "fsconfig({}){}", name, context_message(context));
  }
  return {};
}

}  // namespace

Result<UniqueFd> fs_open(const std::string& type) {
  const long fd = ::syscall(SYS_fsopen, type.c_str(), FSOPEN_CLOEXEC);
  if (fd < 0) {
    const int errnum = errno;
    auto failure = mount_api_failure(errnum, fmt::format("fsopen({})", type));
    if (errnum == ENODEV) {
      failure.error().add_hint("this kernel does not know that file system type");
    }
    return failure;
  }
  return UniqueFd(static_cast<int>(fd));
}

Status fs_set_flag(int context, const std::string& key) {
  return configure(context, FSCONFIG_SET_FLAG, key.c_str(), nullptr, key);
}

Status fs_set_string(int context, const std::string& key, const std::string& value) {
  return configure(context, FSCONFIG_SET_STRING, key.c_str(), value.c_str(), key + "=" + value);
}

Status fs_create(int context, std::string_view name) {
  return configure(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, name);
}

Result<UniqueFd> fs_mount(int context, std::uint64_t attributes, std::string_view name) {
  const long fd = ::syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, static_cast<unsigned>(attributes));
  if (fd < 0) {
    const int errnum = errno;
    return sys_fail(errnum, "fsmount({}){}", name, context_message(context));
  }
  return UniqueFd(static_cast<int>(fd));
}

Result<UniqueFd> fs_pick(int mount, std::string_view name) {
  const long fd = ::syscall(SYS_fspick, mount, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);
  if (fd < 0) {
    const int errnum = errno;
    return mount_api_failure(errnum, fmt::format("fspick({})", name));
  }
  return UniqueFd(static_cast<int>(fd));
}

Status fs_reconfigure(int context, std::string_view name) {
  return configure(context, FSCONFIG_CMD_RECONFIGURE, nullptr, nullptr, name);
}

Result<UniqueFd> open_tree(int directory, const std::string& path, unsigned flags, std::string_view name) {
  if (path.empty()) {
    flags |= AT_EMPTY_PATH;
  }
  const long fd = ::syscall(SYS_open_tree, directory, path.c_str(), flags | OPEN_TREE_CLOEXEC);
  if (fd < 0) {
    const int errnum = errno;
    return mount_api_failure(errnum, fmt::format("open_tree({})", name));
  }
  return UniqueFd(static_cast<int>(fd));
}

Status move_mount(int mount_fd, int target, std::string_view name) {
  return attach(mount_fd, target, "", MOVE_MOUNT_T_EMPTY_PATH, name);
}

Status move_mount_onto_root(int mount_fd, std::string_view name) {
  return attach(mount_fd, AT_FDCWD, "/", 0, name);
}

Status move_mount_into(int mount_fd, int directory, const std::string& entry, std::string_view name) {
  return attach(mount_fd, directory, entry.c_str(), 0, name);
}

Status mount_set_attributes(int mount_fd, const mount_attr& attributes, bool recursive, std::string_view name) {
  mount_attr copy = attributes;
  const unsigned flags = static_cast<unsigned>(AT_EMPTY_PATH) | (recursive ? unsigned{AT_RECURSIVE} : 0U);
  if (::syscall(SYS_mount_setattr, mount_fd, "", flags, &copy, sizeof copy) < 0) {
    const int errnum = errno;
    return mount_api_failure(errnum, fmt::format("mount_setattr({})", name));
  }
  return {};
}

Status root_set_attributes(const mount_attr& attributes, bool recursive) {
  mount_attr copy = attributes;
  if (::syscall(SYS_mount_setattr, AT_FDCWD, "/", recursive ? AT_RECURSIVE : 0, &copy, sizeof copy) < 0) {
    const int errnum = errno;
    return mount_api_failure(errnum, "mount_setattr(/)");
  }
  return {};
}

Status enter_directory(int directory, std::string_view name) {
  if (::fchdir(directory) < 0) {
    return sys_fail(errno, "fchdir({})", name);
  }
  return {};
}

Status enter_root() {
  if (::chdir("/") < 0) {
    return sys_fail(errno, "chdir(/)");
  }
  return {};
}

Status change_root_here() {
  if (::chroot(".") < 0) {
    return sys_fail(errno, "chroot(.)");
  }
  return {};
}

Status detach_mount(const char* path) {
  if (::umount2(path, kMntDetach) < 0) {
    return sys_fail(errno, "umount2({})", path);
  }
  return {};
}

Status detach_mount_of(int descriptors, int mount, std::string_view name) {
  TRY(enter_directory(descriptors, "/proc/self/fd"));
  if (::umount2(std::to_string(mount).c_str(), kMntDetach) < 0) {
    return sys_fail(errno, "umount2({})", name);
  }
  return {};
}

Result<MountPlace> mount_place(int fd, std::string_view name) {
  struct statx status {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &status) < 0) {
    return sys_fail(errno, "statx({})", name);
  }
  return MountPlace{.mount_id = status.stx_mnt_id, .is_root = (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0};
}

Result<MountPlace> root_mount() {
  struct statx status {};
  // "/" would be what the process has as its root even if something is mounted over it.
  if (::statx(AT_FDCWD, "/..", 0, kStatxMntIdUnique, &status) < 0) {
    return sys_fail(errno, "statx(/..)");
  }
  if ((status.stx_mask & kStatxMntIdUnique) == 0) {
    return sys_fail(ENOSYS, "statx(/.., STATX_MNT_ID_UNIQUE)");
  }
  return MountPlace{.mount_id = status.stx_mnt_id, .is_root = (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0};
}

Result<MountStatus> mount_status(std::uint64_t unique_id) {
  const MntIdReq request{.mnt_id = unique_id, .param = kStatmountMntBasic};
  Statmount status{};
  if (::syscall(kSysStatmount, &request, &status, sizeof status, 0) < 0) {
    return sys_fail(errno, "statmount({:#x})", unique_id);
  }
  if ((status.mask & kStatmountMntBasic) == 0) {
    return sys_fail(ENOSYS, "statmount({:#x})", unique_id);
  }
  return MountStatus{.parent_id = status.mnt_parent_id, .propagation = status.mnt_propagation};
}

Status pivot_root_here() {
  if (::syscall(SYS_pivot_root, ".", ".") < 0) {
    return sys_fail(errno, "pivot_root(., .)");
  }
  return {};
}

Status move_working_directory_to_root() {
  if (::mount(".", "/", nullptr, kMsMove, nullptr) < 0) {
    return sys_fail(errno, "mount(., /, MS_MOVE)");
  }
  return {};
}

}  // namespace berth::sys
