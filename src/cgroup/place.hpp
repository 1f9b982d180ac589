// From cgroupsPath to directories.
#pragma once

#include <berth/base/error.hpp>
#include <berth/cgroup/cgroup.hpp>

#include <string>
#include <string_view>

#include "cgroup/layout.hpp"

namespace berth::cgroup {

/// Pure. Absolute and without empty components; `berth/ID` for "". Refuses "..", the root itself and control
/// characters.
Result<std::string> clean_cgroups_path(const std::string& cgroups_path, const std::string& id);

/// Pure. The cgroupfs placement of `path` (clean) in these hierarchies.
Placement place_in(const Layout& layout, const std::string& path);

/// Whether the caller has no power over the host: another user than root, or root of a user namespace only.
bool is_unprivileged();

/// The directory of the container in its hierarchy of this controller ("" for cgroup2), or null.
const Directory* find_directory(const Placement& placement, std::string_view controller);

/// Directory of the mount that holds `directory`: its path without the placement's.
std::string hierarchy_root(const Placement& placement, const Directory& directory);

}  // namespace berth::cgroup
