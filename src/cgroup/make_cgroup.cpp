#include <berth/sys/file.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <thread>

#include "cgroup/directory.hpp"
#include "cgroup/layout.hpp"

namespace berth::cgroup {
namespace {

constexpr mode_t kMode = 0755 | kMark;
constexpr int kAttempts = 200;
constexpr int kAttemptsWithoutPause = 10;

bool holds_cpuset(const std::string& hierarchy) {
  const std::vector<std::string> names = split(hierarchy, ',');
  return std::ranges::find(names, "cpuset") != names.end();
}

void add_mkdir_hint(Error& error) {
  if (error.is(EACCES) || error.is(EPERM) || error.is(EROFS)) {
    error.add_hint("this needs a cgroup that is delegated to the caller as cgroupsPath, or --cgroup-manager disabled");
  } else if (error.is(EAGAIN)) {
    error.add_hint("cgroup.max.depth or cgroup.max.descendants of a parent allows no more cgroups");
  }
}

class Maker {
 public:
  Maker(const std::string& hierarchy, const std::string& root) : root_(root), cpuset_(holds_cpuset(hierarchy)) {}

  // ENOENT means: try again.
  Result<bool> make(const std::string& path, bool is_parent = false) {
    Status made = sys::make_directory(AT_FDCWD, path, kMode);
    if (!made && made.error().is(ENOENT) && parent_of(path).size() > root_.size()) {
      TRY(make(parent_of(path), true));
      made = sys::make_directory(AT_FDCWD, path, kMode);
    }
    if (!made && !made.error().is(EEXIST)) {
      add_mkdir_hint(made.error());
      return std::unexpected(std::move(made).error());
    }
    const bool is_new = made.has_value();
    if (cpuset_ && (is_new || !is_parent)) {
      Result<legacy::Cpuset> inherited = legacy::inherit_cpuset(root_, path, is_new, parent_cpuset_);
      if (!inherited && inherited.error().is(EACCES) && parent_cpuset_) {
        // The parent that we made was removed, and made anew by somebody who has not filled it yet: look at it.
        inherited = legacy::inherit_cpuset(root_, path, is_new, {});
      }
      if (!inherited) {
        if (is_new) {
          static_cast<void>(sys::unlink_at(AT_FDCWD, path, AT_REMOVEDIR));  // the first error counts
        }
        return std::unexpected(std::move(inherited).error());
      }
      parent_cpuset_ = std::move(*inherited);
    }
    return is_new;
  }

 private:
  const std::string& root_;
  bool cpuset_;
  std::optional<legacy::Cpuset> parent_cpuset_;  ///< of the directory made last, whose child comes next
};

}  // namespace

std::string parent_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

Status make_marked(const std::string& path) {
  Status made = sys::make_directory(AT_FDCWD, path, kMode);
  return made || !made.error().is(EEXIST) ? made : Status();
}

Result<bool> make_cgroup(const std::string& hierarchy, const std::string& root, const std::string& path) {
  for (int attempt = 1;; ++attempt) {
    Result<bool> made = Maker(hierarchy, root).make(path);
    if (made || attempt == kAttempts || !is_gone(made.error())) {  // a parent, between two of our steps
      if (!made) {
        remove_marked_parents(root, path);
      }
      return made;
    }
    if (attempt > kAttemptsWithoutPause) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
}

}  // namespace berth::cgroup
