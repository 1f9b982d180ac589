// Which cgroup hierarchies this host has and where they are mounted.
#pragma once

#include <berth/base/error.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace berth::cgroup {

/// One mounted hierarchy.
struct Hierarchy {
  std::string name;      ///< "" for cgroup2, else "memory", "cpu,cpuacct", "systemd"
  std::string root;      ///< directory of its mount: /sys/fs/cgroup/memory
  std::string own_path;  ///< the calling process's place in it: /user.slice
  friend bool operator==(const Hierarchy&, const Hierarchy&) = default;
};

/// cgroup2 first, if it is there; v1 hierarchies in the order of /proc/self/cgroup.
using Layout = std::vector<Hierarchy>;

/// Pure: the hierarchies of the text of /proc/self/cgroup with the directories where distributions mount them:
/// /sys/fs/cgroup itself for cgroup2 if `unified`, else /sys/fs/cgroup/unified and one directory a hierarchy.
Layout expected_layout(std::string_view proc_self_cgroup, bool unified);

/// Pure: where the text of /proc/self/mountinfo says that the hierarchy of this name is mounted; "" if nowhere.
std::string mounted_at(std::string_view mountinfo, std::string_view hierarchy);

/// The host's hierarchies, each checked to be what its name says. One that is mounted nowhere is left out; an error if
/// there is none at all.
Result<Layout> detect_layout();

/// Whether the controllers of a v1 hierarchy's name are kernel controllers ("cpu,cpuacct"), or it is only a name for a
/// hierarchy without controllers ("systemd").
bool is_named_hierarchy(std::string_view name);

/// The names in a list such as "cpu,cpuacct".
std::vector<std::string> split(std::string_view text, char separator);

}  // namespace berth::cgroup
