// linux.intelRdt: the container's group in the kernel's resctrl file system (resctrl.rst of the kernel's
// documentation).
#pragma once

#include <berth/base/error.hpp>
#include <berth/plan/container_plan.hpp>

#include <sys/types.h>

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace berth::rdt {

/// Where resctrl is mounted, by the text of /proc/self/mountinfo; empty if it is not.
[[nodiscard]] std::string mount_point(std::string_view mountinfo);

/// The groups of one container.
struct Groups {
  std::string root;            ///< of the file system
  std::string control;         ///< directory of its class of service
  bool makes_control = false;  ///< it does not exist yet
  bool owns_control = false;   ///< it is of this container alone: closID was not set
  std::string monitoring;      ///< directory of its monitoring group, inside; empty without enableMonitoring

  /// What make() makes, innermost first: for the intent, and for remove().
  [[nodiscard]] std::vector<std::string> made() const;
  /// What goes away with the container. A class with a name of its own stays: others may have joined it.
  [[nodiscard]] std::vector<std::string> owned() const;
};

/// Finds the mounted resctrl and checks what the specification wants of a class that exists; changes nothing.
Result<Groups> find(const plan::IntelRdt& plan, const std::string& id);
/// The same below a directory that is known: what find() does once it has the mount point.
Result<Groups> find_below(const std::string& root, const plan::IntelRdt& plan, const std::string& id);
/// The groups that find() and make() gave to a container, by its configuration: for a further process of it.
Result<Groups> groups_of(const plan::IntelRdt& plan, const std::string& id);
/// Makes the directories, and writes the schemata.
Status make(const Groups& groups, const plan::IntelRdt& plan);
/// Puts the process with all that it will start into the groups.
Status add(const Groups& groups, pid_t pid);
/// The groups of a container whose shares are to change. `makes_control` is set where its configuration wanted none, so
/// that it has no class of its own yet.
Result<Groups> groups_to_change(const plan::IntelRdt& plan, const std::string& id);
Result<Groups> groups_to_change_below(const std::string& root, const plan::IntelRdt& plan, const std::string& id);
/// Gives the class of service new shares, after making it for the container's `processes` if need be, and then does the
/// `rest` of what is to change. If anything fails, all is as it was before.
Status change(const Groups& groups, const std::string& lines,
              const std::function<Result<std::vector<pid_t>>()>& processes, const std::function<Status()>& rest);
/// Writes lines to a group's schemata, one write for all. The error has the kernel's own words for it.
Status write_schemata(const Groups& groups, const std::string& lines);
/// Removes directories; their processes go back to the group above. What is gone already is no error.
Status remove(std::span<const std::string> directories);

}  // namespace berth::rdt
