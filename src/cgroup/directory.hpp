// Making and removing the directories of a cgroup, while others do the same beside us.
#pragma once

#include <berth/base/error.hpp>

#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace berth::cgroup {

using Clock = std::chrono::steady_clock;

/// The bit in the mode of each directory that we make. mkdir(2) sets it in the same step: no crash can leave one
/// without its mark, and nobody else gives a cgroup that bit.
inline constexpr mode_t kMark = S_ISVTX;

/// Makes `path` and its missing parents below `root`, the mount of hierarchy `hierarchy`; false if it was there.
/// Parents that somebody removes meanwhile are made again, a bounded number of times.
Result<bool> make_cgroup(const std::string& hierarchy, const std::string& root, const std::string& path);

/// Makes one cgroup with that mark. No error if it exists.
Status make_marked(const std::string& path);

/// Whether somebody has removed a cgroup meanwhile: before its file was opened, or after.
inline bool is_gone(const Error& error) {
  return error.is(ENOENT) || error.is(ENODEV);
}

/// Calls `visit` for each cgroup below `path`, children before parents, then for `path` itself: with the descriptor of
/// the directory that it is in and its name there, to which calls are to be relative, as a container can make a tree
/// whose paths are longer than the kernel takes. Needs two descriptors, however deep the tree is. The first error ends
/// it; what was removed meanwhile is passed over.
Status walk_up(const std::string& path, const std::function<Status(int parent, const std::string& name)>& visit);

/// Removes `path` and all below it, waiting until `deadline` for processes to end. No error if it is gone.
Status remove_cgroup(const std::string& path, bool unified, Clock::time_point deadline);

/// Removes those parents of `path` below `root` that bear our mark and that nobody uses.
void remove_marked_parents(const std::string& root, const std::string& path);

namespace legacy {
struct Cpuset {
  std::string cpus;
  std::string mems;
};
/// A cpuset without cpus and mems accepts no process, and a new one has none (cgroup-v1/cpusets.rst): gives `path`
/// those of its parent where they are missing; the parent itself gets its own first. `is_new` says that they are
/// missing, `of_parent` what the parent has, if the caller knows. Returns what `path` has now.
Result<Cpuset> inherit_cpuset(const std::string& root, const std::string& path, bool is_new,
                              const std::optional<Cpuset>& of_parent);
}  // namespace legacy

/// The directory that holds `path`, which has a slash.
std::string parent_of(const std::string& path);

}  // namespace berth::cgroup
