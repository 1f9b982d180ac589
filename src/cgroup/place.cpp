#include "cgroup/place.hpp"

#include <algorithm>

namespace berth::cgroup {

Result<std::string> clean_cgroups_path(const std::string& cgroups_path, const std::string& id) {
  const std::string path = cgroups_path.empty() ? "berth/" + id : cgroups_path;
  // The kernel refuses a newline, and /proc/PID/cgroup could not be read with one.
  if (std::ranges::any_of(path, [](char c) { return static_cast<unsigned char>(c) < ' '; })) {
    return fail(ErrorKind::kConfig, "/linux/cgroupsPath is \"{}\": control characters cannot be in a cgroup's name",
                one_line(path));
  }
  std::string clean;
  for (const std::string& component : split(path, '/')) {
    if (component == "..") {
      return fail(ErrorKind::kConfig, "/linux/cgroupsPath is \"{}\": a path without \"..\" was expected", path);
    }
    if (component != ".") {
      clean += "/" + component;
    }
  }
  if (clean.empty()) {
    return fail(ErrorKind::kConfig, "/linux/cgroupsPath is \"{}\": the root cgroup cannot be a container's", path);
  }
  return clean;
}

Placement place_in(const Layout& layout, const std::string& path) {
  Placement placement{.manager = Manager::kCgroupfs, .path = path, .directories = {}};
  for (const Hierarchy& hierarchy : layout) {
    placement.directories.push_back({hierarchy.name, hierarchy.root + path});
  }
  return placement;
}

Result<Placement> place(Manager manager, const std::string& cgroups_path, const std::string& id) {
  switch (manager) {
    case Manager::kDisabled:
      return Placement{};
    case Manager::kSystemd: {
      Error error(ErrorKind::kUsage, "the systemd cgroup manager is not supported");
      error.add_hint("use --cgroup-manager cgroupfs, and set the engine to it as well");
      return std::unexpected(std::move(error));
    }
    case Manager::kCgroupfs:
      break;
  }
  const std::string path = TRY(clean_cgroups_path(cgroups_path, id));
  return place_in(TRY_CONTEXT(detect_layout(), "find the cgroup hierarchies"), path);
}

const Directory* find_directory(const Placement& placement, std::string_view controller) {
  for (const Directory& directory : placement.directories) {
    if (controller.empty() ? directory.hierarchy.empty() : directory.hierarchy == controller) {
      return &directory;
    }
  }
  for (const Directory& directory : placement.directories) {  // "cpu,cpuacct"
    const std::vector<std::string> names = split(directory.hierarchy, ',');
    if (std::ranges::find(names, controller) != names.end()) {
      return &directory;
    }
  }
  return nullptr;
}

std::string hierarchy_root(const Placement& placement, const Directory& directory) {
  return directory.path.substr(0, directory.path.size() - placement.path.size());
}

}  // namespace berth::cgroup
