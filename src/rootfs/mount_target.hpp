// The place in the container that a mount goes to.
#pragma once

#include <berth/base/error.hpp>
#include <berth/path/root_dir.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/rootfs/rootfs.hpp>
#include <berth/sys/unique_fd.hpp>

#include <string_view>

namespace berth::rootfs {

struct MountTarget {
  sys::UniqueFd fd;      ///< O_PATH
  bool existed = false;  ///< it was there before
};

/// Opens the destination of `mount`; makes it, and its parents (mode 0755), where nothing is: a file (mode 0644) if
/// the mount is a bind of anything but a directory, which `tree` (its detached copy, else -1) tells. Refuses the root
/// itself, places in /proc (CVE-2019-16884) and, for procfs and sysfs, links on the way (CVE-2019-19921).
Result<MountTarget> open_mount_target(const path::RootDir& root, const plan::Mount& mount, int tree);

/// Whether the place may be mounted on by what `source.not_onto` says.
Status check_place(const MountSource& source, int target, std::string_view destination);
/// A directory can be mounted on a directory only, and what is none on what is none: else an error that names both, in
/// the words "not a directory" that engines look for. `tree` is the mount, `target` its place.
Status check_same_kind(const plan::Mount& mount, int tree, int target);
/// Attaches the detached mount `tree` at `target`, an O_PATH descriptor, or fails as check_same_kind() does.
Status attach_mount(const plan::Mount& mount, int tree, int target);

/// Whether a mount may go onto this clean path by what it is and where: the root and what is in /proc are protected. A
/// bind mount onto /proc itself is for the caller to check: its source must be procfs.
Status check_destination(const plan::Mount& mount);

}  // namespace berth::rootfs
