#include "plan/mount_options.hpp"

#include <linux/mount.h>

#include <algorithm>
#include <array>

namespace berth::plan {
namespace {

// MOUNT_ATTR_NOSYMFOLLOW came with Linux 5.14; older kernels refuse it by themselves.
constexpr std::uint64_t kNoSymfollow = 0x00200000;

// MS_* of linux/mount.h; sys/mount.h, which contradicts it, is not included here.
constexpr std::uint64_t kUnbindable = MS_UNBINDABLE;
constexpr std::uint64_t kPrivate = MS_PRIVATE;
constexpr std::uint64_t kSlave = MS_SLAVE;
constexpr std::uint64_t kShared = MS_SHARED;

using enum MountEffect;

// Sorted by name, which find_mount_option() needs. fsconfig(2) has no flag for silent, loud, iversion and noiversion:
// nothing prints on its behalf, and a file system that counts versions does so unasked.
constexpr std::array kOptions = std::to_array<MountOption>({
    {"async", kNotSuperblock, 0, false, "sync"},
    {"atime", kAccessTime, MOUNT_ATTR_RELATIME},
    {"bind", kBind},
    {"copy-symlink", kCopySymlink},
    {"defaults", kNothing},
    {"dest-nofollow", kTargetNofollow},
    {"dev", kClear, MOUNT_ATTR_NODEV},
    {"diratime", kClear, MOUNT_ATTR_NODIRATIME},
    {"dirsync", kSuperblock},
    {"exec", kClear, MOUNT_ATTR_NOEXEC},
    {"idmap", kIdmap},
    {"iversion", kNothing},
    {"lazytime", kSuperblock},
    {"loud", kNothing},
    {"mand", kSuperblock},
    {"noatime", kAccessTime, MOUNT_ATTR_NOATIME},
    {"nodev", kSet, MOUNT_ATTR_NODEV},
    {"nodiratime", kSet, MOUNT_ATTR_NODIRATIME},
    {"noexec", kSet, MOUNT_ATTR_NOEXEC},
    {"noiversion", kNothing},
    {"nolazytime", kNotSuperblock, 0, false, "lazytime"},
    {"nomand", kNotSuperblock, 0, false, "mand"},
    {"norelatime", kNotAccessTime, MOUNT_ATTR_RELATIME},
    {"nostrictatime", kNotAccessTime, MOUNT_ATTR_STRICTATIME},
    {"nosuid", kSet, MOUNT_ATTR_NOSUID},
    {"nosymfollow", kSet, kNoSymfollow},
    {"private", kPropagation, kPrivate},
    {"ratime", kAccessTime, MOUNT_ATTR_RELATIME, true},
    {"rbind", kBind, 0, true},
    {"rdev", kClear, MOUNT_ATTR_NODEV, true},
    {"rdiratime", kClear, MOUNT_ATTR_NODIRATIME, true},
    {"relatime", kAccessTime, MOUNT_ATTR_RELATIME},
    {"remount", kRemount},
    {"rexec", kClear, MOUNT_ATTR_NOEXEC, true},
    {"ridmap", kIdmap, 0, true},
    {"rnoatime", kAccessTime, MOUNT_ATTR_NOATIME, true},
    {"rnodev", kSet, MOUNT_ATTR_NODEV, true},
    {"rnodiratime", kSet, MOUNT_ATTR_NODIRATIME, true},
    {"rnoexec", kSet, MOUNT_ATTR_NOEXEC, true},
    {"rnorelatime", kNotAccessTime, MOUNT_ATTR_RELATIME, true},
    {"rnostrictatime", kNotAccessTime, MOUNT_ATTR_STRICTATIME, true},
    {"rnosuid", kSet, MOUNT_ATTR_NOSUID, true},
    {"rnosymfollow", kSet, kNoSymfollow, true},
    {"ro", kSet, MOUNT_ATTR_RDONLY},
    {"rprivate", kPropagation, kPrivate, true},
    {"rrelatime", kAccessTime, MOUNT_ATTR_RELATIME, true},
    {"rro", kSet, MOUNT_ATTR_RDONLY, true},
    {"rrw", kClear, MOUNT_ATTR_RDONLY, true},
    {"rshared", kPropagation, kShared, true},
    {"rslave", kPropagation, kSlave, true},
    {"rstrictatime", kAccessTime, MOUNT_ATTR_STRICTATIME, true},
    {"rsuid", kClear, MOUNT_ATTR_NOSUID, true},
    {"rsymfollow", kClear, kNoSymfollow, true},
    {"runbindable", kPropagation, kUnbindable, true},
    {"rw", kClear, MOUNT_ATTR_RDONLY},
    {"shared", kPropagation, kShared},
    {"silent", kNothing},
    {"slave", kPropagation, kSlave},
    {"src-nofollow", kSourceNofollow},
    {"strictatime", kAccessTime, MOUNT_ATTR_STRICTATIME},
    {"suid", kClear, MOUNT_ATTR_NOSUID},
    {"symfollow", kClear, kNoSymfollow},
    {"sync", kSuperblock},
    {"tmpcopyup", kCopyUp},
    {"unbindable", kPropagation, kUnbindable},
});
static_assert(std::ranges::is_sorted(kOptions, {}, &MountOption::name));

void choose_access_time(MountAttributes& attributes, std::uint64_t mode) {
  // mount_setattr(2): the field has to be cleared as a whole to be given a value; relatime is the value 0.
  attributes.set = (attributes.set & ~std::uint64_t{MOUNT_ATTR__ATIME}) | mode;
  attributes.clear |= MOUNT_ATTR__ATIME;
}

void take_back_access_time(MountAttributes& attributes, std::uint64_t mode) {
  const bool chosen = (attributes.clear & MOUNT_ATTR__ATIME) != 0;
  if (chosen && (attributes.set & MOUNT_ATTR__ATIME) == mode) {
    attributes.set &= ~std::uint64_t{MOUNT_ATTR__ATIME};
    attributes.clear &= ~std::uint64_t{MOUNT_ATTR__ATIME};
  }
}

void take_back_flag(Mount& mount, std::string_view flag) {
  std::erase_if(mount.fs_options, [&](const auto& option) { return option.first == flag && !option.second; });
}

}  // namespace

std::span<const MountOption> mount_options() {
  return kOptions;
}

const MountOption* find_mount_option(std::string_view name) {
  const auto found = std::ranges::lower_bound(kOptions, name, {}, &MountOption::name);
  return found != kOptions.end() && found->name == name ? &*found : nullptr;
}

void apply(const MountOption& option, Mount& mount) {
  MountAttributes& attributes = option.recursive ? mount.recursive_attributes : mount.attributes;
  switch (option.effect) {
    case kNothing:
      return;
    case kSet:
      attributes.set |= option.value;
      attributes.clear &= ~option.value;
      return;
    case kClear:
      attributes.clear |= option.value;
      attributes.set &= ~option.value;
      return;
    case kAccessTime:
      return choose_access_time(attributes, option.value);
    case kNotAccessTime:
      return take_back_access_time(attributes, option.value);
    case kSuperblock:
      take_back_flag(mount, option.name);
      mount.fs_options.emplace_back(option.name, std::nullopt);
      return;
    case kNotSuperblock:
      take_back_flag(mount, option.flag);
      if (mount.kind == MountKind::kRemount) {
        mount.fs_options.emplace_back(option.name, std::nullopt);  // there it may be set already
      }
      return;
    case kPropagation:
      mount.propagation = option.value;
      mount.propagation_recursive = option.recursive;
      return;
    case kRemount:
      return;
    case kIdmap:
      mount.idmapped = true;
      mount.idmap_recursive = mount.idmap_recursive || option.recursive;
      return;
    case kBind:
      mount.recursive = mount.recursive || option.recursive;
      return;
    case kCopyUp:
      mount.copy_up = true;
      return;
    case kCopySymlink:
      mount.copy_symlink = true;
      return;
    case kSourceNofollow:
      mount.source_nofollow = true;
      return;
    case kTargetNofollow:
      mount.destination_nofollow = true;
      return;
  }
}

}  // namespace berth::plan
