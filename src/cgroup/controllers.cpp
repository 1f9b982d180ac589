#include "cgroup/controllers.hpp"

#include <berth/sys/file.hpp>

#include <fcntl.h>

#include <algorithm>

#include "cgroup/layout.hpp"
#include "cgroup/place.hpp"

namespace berth::cgroup {
namespace {

constexpr std::size_t kListLimit = 4096;

Result<std::vector<std::string>> read_names(const std::string& file) {
  std::string text = TRY(sys::read_record(AT_FDCWD, file, kListLimit));
  std::ranges::replace(text, '\n', ' ');
  return split(text, ' ');
}

// A line of /proc/cgroups: NAME HIERARCHY CGROUPS ENABLED. Empty if the kernel has no such controller.
std::vector<std::string> kernel_entry(std::string_view proc_cgroups, std::string_view controller) {
  for (std::string& line : split(proc_cgroups, '\n')) {
    std::ranges::replace(line, '\t', ' ');
    std::vector<std::string> fields = split(line, ' ');
    if (fields.size() >= 4 && fields[0] == controller) {
      return fields;
    }
  }
  return {};
}

std::string cure(const MissingController& missing, const Controllers& controllers, std::string_view proc_cgroups) {
  const std::string& name = missing.controller == "io" ? "blkio" : missing.controller;
  const std::vector<std::string> entry = kernel_entry(proc_cgroups, name);
  if (proc_cgroups.empty()) {
    return "take the limit out, or give the host this controller";
  }
  if (entry.empty()) {
    return fmt::format("this kernel was built without {}, or it is not handed down in cgroup.subtree_control", name);
  }
  if (entry[3] == "0") {
    return fmt::format("the kernel was started with it off: boot with cgroup_enable={0}, without cgroup_disable={0}",
                       name);
  }
  if (entry[1] != "0" && missing.unified_only) {
    return fmt::format("the v1 hierarchy {} holds {}: use the limits that are not below unified", entry[1], name);
  }
  if (entry[1] != "0") {
    return fmt::format("the v1 hierarchy {} holds it: unmount that, or take the limit out", entry[1]);
  }
  if (missing.legacy_only || !controllers.has_unified) {
    return fmt::format("mount -t cgroup -o {0} cgroup /sys/fs/cgroup/{0}, or take the limit out", name);
  }
  return "it is not delegated to this cgroup: enable it in cgroup.subtree_control of the parents";
}

std::unexpected<Error> not_enabled(Error error, const std::string& cgroup, const std::string& controller) {
  error.add_context(fmt::format("enable controller {} below {}", controller, cgroup));
  if (error.is(EBUSY)) {
    error.add_hint(
        "that cgroup has processes of its own, and cgroup2 shares out controllers only where there are none: move "
        "them, "
        "or choose another cgroupsPath");
  } else if (error.is(EACCES) || error.is(EPERM)) {
    error.add_hint("the cgroup is not delegated to the caller");
  } else if (error.is(ENOENT)) {
    error.add_hint("the controller is not enabled in cgroup.subtree_control of its parent");
  } else if (error.is(EINVAL)) {
    error.add_hint("a real-time process, or a threaded cgroup, stands in the way of this controller");
  }
  return std::unexpected(std::move(error));
}

std::string plus_each(const std::vector<std::string>& controllers) {
  std::string text;
  for (const std::string& controller : controllers) {
    text += (text.empty() ? "+" : " +") + controller;
  }
  return text;
}

Status enable_in(const std::string& cgroup, const std::vector<std::string>& wanted,
                 const std::vector<std::string>& needed) {
  const std::string file = cgroup + "/cgroup.subtree_control";
  // All at once is the usual case; it is refused as a whole if one is.
  if (wanted.empty() || sys::write_file(AT_FDCWD, file, plus_each(wanted))) {
    return {};
  }
  // Above a cgroup that was delegated to a user, only what is there already can be had.
  const std::vector<std::string> present = TRY(read_names(file));
  for (const std::string& controller : wanted) {
    if (std::ranges::find(present, controller) != present.end()) {
      continue;
    }
    Status enabled = sys::write_file(AT_FDCWD, file, "+" + controller);
    // One that no limit needs only leaves out statistics.
    if (!enabled && std::ranges::find(needed, controller) != needed.end()) {
      return not_enabled(std::move(enabled).error(), cgroup, controller);
    }
  }
  return {};
}

}  // namespace

Result<Controllers> find_controllers(const Placement& placement, const plan::Resources& resources) {
  Controllers controllers;
  const Directory* unified = find_directory(placement, "");
  controllers.has_unified = unified != nullptr;
  for (const Directory& directory : placement.directories) {
    if (!directory.hierarchy.empty() && !is_named_hierarchy(directory.hierarchy)) {
      std::ranges::move(split(directory.hierarchy, ','), std::back_inserter(controllers.legacy));
    }
  }
  const bool matters = controllers.legacy.empty() || TRY(needs_unified(resources, controllers.legacy));
  if (unified != nullptr && matters) {
    controllers.unified = TRY(read_names(hierarchy_root(placement, *unified) + "/cgroup.controllers"));
  }
  return controllers;
}

Result<Limits> enforceable_limits(const plan::Resources& resources, const Controllers& controllers) {
  std::vector<MissingController> missing;
  Limits limits = TRY(translate(resources, controllers, &missing));
  if (!missing.empty()) {
    // Best effort: without it the error has a less precise cure.
    const std::string proc_cgroups = sys::read_file(AT_FDCWD, "/proc/cgroups", 64UL * 1024).value_or("");
    return std::unexpected(explain_missing(missing.front(), controllers, proc_cgroups));
  }
  return limits;
}

Status enable_unified(const Placement& placement, const Limits& limits, const Controllers& controllers) {
  const Directory* directory = find_directory(placement, "");
  if (directory == nullptr || (!controllers.legacy.empty() && limits.unified.empty())) {
    return {};
  }
  std::vector<std::string> needed;
  for (const FileWrite& write : limits.unified) {
    if (write.controller != "cgroup") {
      needed.push_back(write.controller);
    }
  }
  return unified::enable_controllers(hierarchy_root(placement, *directory), directory->path,
                                     controllers.legacy.empty() ? controllers.unified : needed, needed);
}

Error explain_missing(const MissingController& missing, const Controllers& controllers, std::string_view proc_cgroups) {
  std::string where =
      missing.unified_only ? "there is no cgroup2" : "no cgroup v1 hierarchy below /sys/fs/cgroup has it";
  if (controllers.has_unified && !missing.legacy_only) {
    where = fmt::format("cgroup2 at its root has {}",
                        controllers.unified.empty() ? "none" : fmt::format("{}", fmt::join(controllers.unified, ", ")));
    if (!controllers.legacy.empty() && !missing.unified_only) {
      where += ", and no v1 hierarchy has it";
    }
  }
  Error error(ErrorKind::kConfig, fmt::format("{} cannot be enforced: controller {} is missing, {}", missing.property,
                                              missing.controller, where));
  error.add_hint(cure(missing, controllers, proc_cgroups));
  return error;
}

Status unified::enable_controllers(const std::string& root, const std::string& path,
                                   const std::vector<std::string>& wanted, const std::vector<std::string>& needed) {
  const std::vector<std::string> present = TRY(read_names(path + "/cgroup.controllers"));
  const auto is_present = [&](const std::string& name) { return std::ranges::find(present, name) != present.end(); };
  if (std::ranges::all_of(wanted, is_present)) {
    return {};
  }
  std::vector<std::string> missing = needed;
  std::erase_if(missing, is_present);
  // Each level may only hand on what the level above handed to it.
  for (std::size_t end = root.size(); end != std::string::npos; end = path.find('/', end + 1)) {
    TRY(enable_in(path.substr(0, end), wanted, missing));
  }
  return {};
}

}  // namespace berth::cgroup
