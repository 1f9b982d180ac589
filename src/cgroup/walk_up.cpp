#include <berth/sys/file.hpp>
#include <berth/sys/filesystem.hpp>

#include <fcntl.h>

#include <vector>

#include "cgroup/directory.hpp"

namespace berth::cgroup {
namespace {

// A cgroup on the way from `path` down to where the walk is.
struct Level {
  std::string name;                   ///< in the one above
  std::vector<std::string> children;  ///< that are still to be visited
};

Result<std::vector<std::string>> children_of(int directory) {
  auto names = sys::list_subdirectories(directory, ".");
  return !names && is_gone(names.error()) ? std::vector<std::string>() : std::move(names);
}

Status walk_below(sys::UniqueFd at, const std::function<Status(int parent, const std::string& name)>& visit) {
  std::vector<Level> levels;
  levels.push_back({.name = "", .children = TRY(children_of(at.get()))});
  for (;;) {
    if (!levels.back().children.empty()) {
      const std::string name = std::move(levels.back().children.back());
      levels.back().children.pop_back();
      auto child = sys::open_at(at.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      if (child) {
        at = std::move(*child);
        levels.push_back({.name = name, .children = TRY(children_of(at.get()))});
      } else if (!is_gone(child.error())) {
        return std::unexpected(std::move(child).error());
      }
      continue;
    }
    const std::string name = std::move(levels.back().name);
    levels.pop_back();
    if (levels.empty()) {
      return {};
    }
    // A cgroup never gets another parent: this is where the walk came from. That of a removed one can be opened too.
    at = TRY(sys::open_at(at.get(), "..", O_RDONLY | O_DIRECTORY));
    TRY(visit(at.get(), name));
  }
}

}  // namespace

Status walk_up(const std::string& path, const std::function<Status(int parent, const std::string& name)>& visit) {
  auto top = sys::open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
  if (!top) {
    return is_gone(top.error()) ? Status() : Status(std::unexpected(std::move(top).error()));
  }
  TRY_CONTEXT(walk_below(std::move(*top), visit), "below {}", path);
  return visit(AT_FDCWD, path);
}

}  // namespace berth::cgroup
