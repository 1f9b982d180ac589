// linux.readonlyPaths: what the container must not change.
#pragma once

#include <berth/base/error.hpp>
#include <berth/path/root_dir.hpp>
#include <berth/rootfs/kept_descriptors.hpp>

#include <string>
#include <vector>

namespace berth::rootfs {

/// Mounts a read-only copy of each path below `root`, with all that is mounted in it, onto itself. Paths that do not
/// exist are left out.
Status make_paths_readonly(const path::RootDir& root, const std::vector<std::string>& paths, KeptDescriptors& kept);

}  // namespace berth::rootfs
