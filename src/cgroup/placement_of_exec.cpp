#include <berth/cgroup/cgroup.hpp>
#include <berth/sys/file.hpp>

#include <fcntl.h>

#include <algorithm>

#include "cgroup/place.hpp"

namespace berth::cgroup {
namespace {

bool names_hierarchy(const std::vector<std::string>& controllers, const Directory& directory) {
  const std::vector<std::string> names = split(directory.hierarchy, ',');
  return std::ranges::any_of(controllers, [&](const std::string& controller) {
    return controller == directory.hierarchy || std::ranges::find(names, controller) != names.end();
  });
}

Status descend(Placement& placement, const std::string& argument) {
  const std::size_t colon = argument.find(':');
  const std::vector<std::string> controllers =
      colon == std::string::npos ? std::vector<std::string>() : split(argument.substr(0, colon), ',');
  const std::string path = colon == std::string::npos ? argument : argument.substr(colon + 1);
  std::string below;
  for (const std::string& component : split(path, '/')) {
    if (component == "..") {
      return fail(ErrorKind::kUsage, "--cgroup {}: a path without \"..\" was expected", one_line(argument));
    }
    below += component == "." || component.empty() ? "" : "/" + component;
  }
  bool found = controllers.empty();
  for (Directory& directory : placement.directories) {
    if (controllers.empty() || names_hierarchy(controllers, directory)) {
      directory.path += below;
      found = true;
    }
  }
  return found ? Status()
               : fail(ErrorKind::kUsage, "--cgroup {}: the container has no cgroup with this controller",
                      one_line(argument));
}

}  // namespace

Result<Placement> placement_below(Placement placement, const std::vector<std::string>& arguments) {
  for (const std::string& argument : arguments) {
    TRY(descend(placement, argument));
  }
  return placement;
}

Result<Placement> placement_beside(Placement placement, pid_t process) {
  constexpr std::size_t kMaxCgroups = 64UL * 1024;
  constexpr std::string_view kUnified = "0::";
  const std::string text = TRY(sys::read_file(AT_FDCWD, fmt::format("/proc/{}/cgroup", process), kMaxCgroups));
  for (const std::string& line : split(text, '\n')) {
    for (Directory& directory : placement.directories) {
      if (line.starts_with(kUnified) && directory.hierarchy.empty()) {
        directory.path = hierarchy_root(placement, directory) + line.substr(kUnified.size());
      }
    }
  }
  return placement;
}

}  // namespace berth::cgroup
