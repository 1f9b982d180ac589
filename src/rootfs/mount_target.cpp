#include "rootfs/mount_target.hpp"

#include <berth/sys/file.hpp>
#include <berth/sys/mount.hpp>

#include <fcntl.h>
#include <linux/magic.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "rootfs/mountinfo.hpp"

namespace berth::rootfs {
namespace {

constexpr mode_t kDirectoryMode = 0755;
constexpr mode_t kFileMode = 0644;

bool is_kernel_file_system(const plan::Mount& mount) {
  return mount.kind == plan::MountKind::kFilesystem && (mount.type == "proc" || mount.type == "sysfs");
}

Status check_procfs_source(const plan::Mount& mount, int tree) {
  if (mount.kind == plan::MountKind::kBind && path::clean(mount.destination) == "/proc" &&
      TRY(sys::filesystem_type(tree, mount.source)) != PROC_SUPER_MAGIC) {
    return fail(ErrorKind::kConfig, "{} is not procfs, only procfs can be mounted on /proc", mount.source);
  }
  return {};
}

// A destination that was found by following links need not be where its text says.
Status check_followed(const path::RootDir& root, int target, const std::string& destination) {
  const struct stat top = TRY(sys::stat_fd(root.fd(), "<rootfs>"));
  const struct stat status = TRY(sys::stat_fd(target, destination));
  if (top.st_dev == status.st_dev && top.st_ino == status.st_ino) {
    return fail(ErrorKind::kConfig, "{} leads to the root itself, which cannot be mounted over", destination);
  }
  if (TRY(sys::filesystem_type(target, destination)) == PROC_SUPER_MAGIC) {
    return fail(ErrorKind::kConfig, "{} leads into procfs, which cannot be mounted over", destination);
  }
  return {};
}

Error not_an_ordinary_directory(const plan::Mount& mount, int errnum) {
  Error error(ErrorKind::kConfig,
              fmt::format("file system \"{}\" must be mounted on an ordinary directory", mount.type));
  error.add_hint(errnum == ENOTDIR ? fmt::format("{} in the rootfs is none", mount.destination)
                                   : fmt::format("{} in the rootfs leads through a symbolic link", mount.destination));
  return error;
}

Result<MountTarget> open_ordinary_directory(const path::RootDir& root, const plan::Mount& mount) {
  auto opened = root.open_without_links(mount.destination, O_PATH | O_DIRECTORY);
  const bool existed = opened.has_value();
  if (!opened && opened.error().is(ENOENT)) {
    opened = root.make_directories_without_links(mount.destination, kDirectoryMode);
  }
  if (!opened && (opened.error().is(ELOOP) || opened.error().is(ENOTDIR))) {
    return std::unexpected(not_an_ordinary_directory(mount, opened.error().errnum()));
  }
  return MountTarget{TRY(std::move(opened)), existed};
}

// Makes the place: a file for what is no directory.
Result<sys::UniqueFd> make_place(const path::RootDir& root, const plan::Mount& mount, int tree, bool follow_links) {
  if (mount.kind == plan::MountKind::kBind && !S_ISDIR(TRY(sys::stat_fd(tree, mount.source)).st_mode)) {
    return follow_links ? root.make_file(mount.destination, kFileMode)
                        : root.make_file_without_links(mount.destination, kFileMode);
  }
  return follow_links ? root.make_directories(mount.destination, kDirectoryMode)
                      : root.make_directories_without_links(mount.destination, kDirectoryMode);
}

// The place as it is written; ELOOP where a link is on the way.
Result<MountTarget> open_as_written(const path::RootDir& root, const plan::Mount& mount, int tree) {
  auto opened = root.open_without_links(mount.destination, O_PATH);
  const bool existed = opened.has_value();
  if (!opened && opened.error().is(ENOENT)) {
    opened = make_place(root, mount, tree, false);
  }
  return MountTarget{TRY(std::move(opened)), existed};
}

Result<MountTarget> open_through_links(const path::RootDir& root, const plan::Mount& mount, int tree) {
  auto opened = root.open(mount.destination, O_PATH | (mount.destination_nofollow ? O_NOFOLLOW : 0));
  const bool existed = opened.has_value();
  if (!opened && opened.error().is(ENOENT)) {
    opened = make_place(root, mount, tree, true);
  }
  MountTarget target{TRY(std::move(opened)), existed};
  TRY(check_followed(root, target.fd.get(), mount.destination));
  return target;
}

Result<bool> is_directory(int fd) {
  return S_ISDIR(TRY(sys::stat_fd(fd, "mount")).st_mode);
}

}  // namespace

Status check_same_kind(const plan::Mount& mount, int tree, int target) {
  const bool directory = TRY(is_directory(tree));
  if (directory == TRY(is_directory(target))) {
    return {};
  }
  return fail(ErrorKind::kConfig, "not a directory: {} is {}, and {} in the container is {}", mount.source,
              directory ? "a directory" : "a file", mount.destination, directory ? "a file" : "a directory");
}

Status check_destination(const plan::Mount& mount) {
  // lxcfs emulates these, so that top and free show the container's own figures.
  constexpr auto kEmulated = std::to_array<std::string_view>(
      {"/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo", "/proc/stat", "/proc/swaps", "/proc/uptime",
       "/proc/loadavg", "/proc/slabinfo", "/proc/sys/kernel/ns_last_pid", "/proc/sys/crypto/fips_enabled"});
  const std::string destination = path::clean(mount.destination);
  if (destination == "/") {
    return fail(ErrorKind::kConfig, "the root itself cannot be mounted over");
  }
  const bool procfs = mount.kind == plan::MountKind::kFilesystem && mount.type == "proc";
  if (destination == "/proc" && mount.kind != plan::MountKind::kBind && !procfs) {
    return fail(ErrorKind::kConfig, "only procfs can be mounted on /proc");
  }
  if (destination.starts_with("/proc/") && std::ranges::find(kEmulated, destination) == kEmulated.end()) {
    return fail(ErrorKind::kConfig, "{} cannot be mounted over because it is inside /proc", destination);
  }
  return {};
}

Result<MountTarget> open_mount_target(const path::RootDir& root, const plan::Mount& mount, int tree) {
  TRY(check_destination(mount));
  TRY(check_procfs_source(mount, tree));
  if (is_kernel_file_system(mount)) {
    return open_ordinary_directory(root, mount);
  }
  // Where no link is on the way, the place is the one that check_destination() knows: nothing more to look at.
  auto as_written = open_as_written(root, mount, tree);
  if (as_written || !as_written.error().is(ELOOP)) {
    return as_written;
  }
  return open_through_links(root, mount, tree);
}

Status check_place(const MountSource& source, int target, std::string_view destination) {
  if (source.not_onto.empty()) {
    return {};
  }
  const std::uint64_t id = TRY(sys::mount_place(target, destination)).mount_id;
  return std::ranges::find(source.not_onto, id) == source.not_onto.end()
             ? Status()
             : fail(ErrorKind::kState, "{} {}", destination, kOnSharedMount);
}

Status attach_mount(const plan::Mount& mount, int tree, int target) {
  auto attached = sys::move_mount(tree, target, mount.destination);
  if (!attached && attached.error().is(EINVAL)) {
    TRY(check_same_kind(mount, tree, target));
  }
  return attached;
}

}  // namespace berth::rootfs
