// linux.maskedPaths: what the container must not read.
#pragma once

#include <berth/base/error.hpp>
#include <berth/path/root_dir.hpp>
#include <berth/rootfs/kept_descriptors.hpp>

#include <string>
#include <vector>

namespace berth::rootfs {

/// Covers each path below `root`: a file with the container's /dev/null, a directory with an empty read-only tmpfs that
/// all of them share. Paths that do not exist need no cover. `label` is linux.mountLabel.
Status mask_paths(const path::RootDir& root, const std::vector<std::string>& paths, const std::string& label,
                  KeptDescriptors& kept);

}  // namespace berth::rootfs
