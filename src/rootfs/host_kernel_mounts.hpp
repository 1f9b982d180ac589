// The host's procfs and sysfs, which a container without pivot_root(2) must not reach.
#pragma once

#include <berth/base/error.hpp>
#include <berth/path/proc_dir.hpp>
#include <berth/sys/unique_fd.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace berth::rootfs {

/// Where a text of the form of /proc/PID/mountinfo (proc(5)) says that a whole procfs or sysfs is mounted.
[[nodiscard]] std::vector<std::string> whole_kernel_mounts(std::string_view mountinfo);

/// Opens all of them (O_PATH).
Result<std::vector<sys::UniqueFd>> open_host_kernel_mounts(const path::ProcDir& proc);

/// Detaches them; what a user namespace has locked is covered with an empty tmpfs instead. Changes the working
/// directory.
Status detach_host_kernel_mounts(const std::vector<sys::UniqueFd>& mounts);

}  // namespace berth::rootfs
