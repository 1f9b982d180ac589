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

struct MountInfo {
  std::uint64_t id = 0;
  std::uint64_t parent = 0;
  std::string root;         ///< what of the file system is seen, as a path in it
  std::string mount_point;  ///< seen from the process' root
  std::string type;         ///< of the file system
};

/// All mounts, in order; lines that are none are left out.
[[nodiscard]] std::vector<MountInfo> parse_mountinfo(std::string_view text);

/// procfs and sysfs, by which a container that could write to all of them would reach the host.
[[nodiscard]] bool is_kernel_file_system(std::string_view type);

}  // namespace berth::rootfs
