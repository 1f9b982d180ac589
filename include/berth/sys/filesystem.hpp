// File systems as a whole, and the files of kernfs (cgroup, cgroup2) that tell when they change.
#pragma once

#include <berth/base/error.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace berth::sys {

/// statfs(2)'s f_type: the magic number of the file system at `path`.
Result<long> filesystem_type_at(const std::string& path);
/// Names of the directories in the directory `path`, in no order, without . and .. and without opening them. `path` is
/// relative to the descriptor `directory`.
Result<std::vector<std::string>> list_subdirectories(int directory, const std::string& path);
/// poll(2) for POLLPRI on a file of kernfs, such as cgroup.events: whether it changed, since it was last read, before
/// `timeout` passed.
Result<bool> wait_changed(int fd, std::chrono::milliseconds timeout, std::string_view name);

}  // namespace berth::sys
