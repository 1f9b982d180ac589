// The container's view of its cgroups.
#pragma once

#include <berth/base/error.hpp>
#include <berth/cgroup/cgroup.hpp>
#include <berth/path/root_dir.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/rootfs/rootfs.hpp>

#include <string>

namespace berth::rootfs {

/// Copies the container's own directory of every hierarchy, detached. Nothing if there is no cgroup.
Status open_cgroup_sources(const cgroup::View* view, MountSource& source);

/// Attaches them: cgroup2 alone on the destination, or a tmpfs with one directory a hierarchy. `label` is
/// linux.mountLabel.
Status mount_cgroup(const path::RootDir& root, const plan::Mount& mount, const MountSource& source,
                    const Options& options, const std::string& label, KeptDescriptors& kept);

}  // namespace berth::rootfs
