// remount: other options for what is mounted already.
#pragma once

#include <berth/base/error.hpp>
#include <berth/path/root_dir.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/rootfs/rootfs.hpp>

#include <vector>

namespace berth::rootfs {

/// Gives the file system at the destination the options of `mount`, if it has any, and its mount there the flags and
/// the propagation. What they do not name stays as it is. Nothing is made: an error where nothing is mounted.
Status remount(const path::RootDir& root, const plan::Mount& mount, std::vector<DeferredReadonly>& deferred,
               KeptDescriptors& kept);

}  // namespace berth::rootfs
