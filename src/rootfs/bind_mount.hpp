// Bind mounts: copies of the host's trees.
#pragma once

#include <berth/base/error.hpp>
#include <berth/path/root_dir.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/rootfs/rootfs.hpp>

namespace berth::rootfs {

/// Copies the tree at `mount.source`, detached; with copy-symlink, reads the link that is there instead.
Status open_bind_source(const plan::Mount& mount, MountSource& source);

/// The same in the host's mount namespace, for a mount with mapped ids: the copy gets them, and does not reach the
/// host.
Status open_idmapped_source(const plan::Rootfs& plan, const plan::Mount& mount, MountSource& source);

/// Gives the copy its flags and propagation and attaches it, or makes the link; its mount stays in `source`.
Status mount_bind(const path::RootDir& root, const plan::Mount& mount, const MountSource& source,
                  KeptDescriptors& kept);

}  // namespace berth::rootfs
