// Mount options of the specification: the one table, and how a list of them applies to a mount.
#pragma once

#include <berth/plan/container_plan.hpp>

#include <cstdint>
#include <span>
#include <string_view>

namespace berth::plan {

enum class MountEffect : std::uint8_t {
  kNothing,
  kSet,             ///< sets MOUNT_ATTR_* `value`
  kClear,           ///< clears it
  kAccessTime,      ///< chooses `value` of MOUNT_ATTR__ATIME
  kNotAccessTime,   ///< takes back an earlier choice of `value`
  kSuperblock,      ///< a flag of the file system itself, named like the option
  kNotSuperblock,   ///< takes back the flag `flag`
  kPropagation,     ///< MS_* `value`
  kBind,            ///< makes it a bind mount
  kRemount,         ///< changes a mount that is there
  kIdmap,           ///< idmap
  kCopyUp,          ///< tmpcopyup
  kCopySymlink,     ///< copy-symlink
  kSourceNofollow,  ///< src-nofollow
  kTargetNofollow,  ///< dest-nofollow
};

struct MountOption {
  std::string_view name;
  MountEffect effect;
  std::uint64_t value = 0;
  bool recursive = false;  ///< applies to the mounts below too
  std::string_view flag = {};
};

/// Every option that is not one of a file system; all of them are accepted.
[[nodiscard]] std::span<const MountOption> mount_options();
/// Null if it is none of the table.
[[nodiscard]] const MountOption* find_mount_option(std::string_view name);
/// Applies one option of the table; of two that contradict each other the later one counts. The kind of the mount,
/// which bind and remount decide, is known before.
void apply(const MountOption& option, Mount& mount);

}  // namespace berth::plan
