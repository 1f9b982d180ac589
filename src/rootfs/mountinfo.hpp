// /proc/PID/mountinfo (proc_pid_mountinfo(5)).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace berth::rootfs {

/// More than any host has: 64 MiB of text.
inline constexpr std::size_t kMountinfoLimit = std::size_t{64} << 20U;

/// Of a destination whose mount is in a peer group, for an error.
inline constexpr std::string_view kOnSharedMount =
    "is on a shared mount: the change would be one of other mount namespaces too";

struct MountInfo {
  std::uint64_t id = 0;
  std::uint64_t parent = 0;
  std::string root;         ///< what of the file system is seen, as a path in it
  std::string mount_point;  ///< seen from the process' root
  std::string type;         ///< of the file system
  bool readonly = false;    ///< this mount, whatever the file system is
  bool shared = false;      ///< what is mounted on it, or taken from it, is so in all of its peer group
};

/// All mounts, in order; lines that are none are left out.
[[nodiscard]] std::vector<MountInfo> parse_mountinfo(std::string_view text);

/// procfs and sysfs, by which a container that could write to all of them would reach the host.
[[nodiscard]] bool is_kernel_file_system(std::string_view type);

}  // namespace berth::rootfs
