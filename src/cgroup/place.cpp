#include "cgroup/place.hpp"

#include <berth/sys/file.hpp>

#include <unistd.h>

#include <algorithm>

#include "cgroup/systemd/scope.hpp"

namespace berth::cgroup {
namespace {

Result<Layout> layout_of_host() {
  return TRY_CONTEXT(detect_layout(), "find the cgroup hierarchies");
}

}  // namespace

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

bool is_unprivileged() {
  if (::geteuid() != 0) {
    return true;
  }
  const Result<std::string> uid_map = sys::read_file(AT_FDCWD, "/proc/self/uid_map", 64UL * 1024);
  return uid_map && split(*uid_map, ' ') != std::vector<std::string>{"0", "0", "4294967295\n"};
}

Result<Placement> place(Manager manager, const std::string& cgroups_path, const std::string& id,
                        const std::map<std::string, std::string>& annotations) {
  switch (manager) {
    case Manager::kDisabled:
      return Placement{};
    case Manager::kSystemd: {
      Placement placement = TRY(systemd::place_scope(cgroups_path, id, is_unprivileged(), annotations));
      const Layout layout = TRY(layout_of_host());
      if (layout.size() != 1 || !layout.front().name.empty()) {
        // There systemd resets the device rules of its units whenever it likes, to those that it knows.
        Error error(ErrorKind::kUsage,
                    "the systemd cgroup manager needs a host with cgroup2 alone, and this one has v1");
        error.add_hint("use --cgroup-manager cgroupfs");
        return std::unexpected(std::move(error));
      }
      placement.directories = place_in(layout, placement.path).directories;
      return placement;
    }
    case Manager::kCgroupfs:
      break;
  }
  const std::string path = TRY(clean_cgroups_path(cgroups_path, id));
  return place_in(TRY(layout_of_host()), path);
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
