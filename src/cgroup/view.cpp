#include <berth/cgroup/cgroup.hpp>

#include "cgroup/layout.hpp"
#include "cgroup/place.hpp"

namespace berth::cgroup {
namespace {

View::Hierarchy view_of(const std::string& hierarchy, std::string host_path) {
  if (hierarchy.empty()) {
    return {.name = "unified", .mount_data = "", .host_path = std::move(host_path)};
  }
  return {.name = hierarchy,
          .mount_data = is_named_hierarchy(hierarchy) ? "name=" + hierarchy : hierarchy,
          .host_path = std::move(host_path)};
}

}  // namespace

Result<View> view(const Placement& placement) {
  View result;
  if (placement.manager == Manager::kDisabled) {  // the container stays where its creator is
    for (const Hierarchy& hierarchy : TRY_CONTEXT(detect_layout(), "find the cgroup hierarchies")) {
      result.hierarchies.push_back(view_of(hierarchy.name, hierarchy.root + hierarchy.own_path));
    }
  } else {
    for (const Directory& directory : placement.directories) {
      result.hierarchies.push_back(view_of(directory.hierarchy, directory.path));
    }
  }
  result.unified = result.hierarchies.size() == 1 && result.hierarchies.front().name == "unified";
  return result;
}

}  // namespace berth::cgroup
