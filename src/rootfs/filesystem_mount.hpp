// New instances of file systems: proc, sysfs, tmpfs, devpts, mqueue, overlay and every other type.
#pragma once

#include <berth/base/error.hpp>
#include <berth/path/root_dir.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/rootfs/rootfs.hpp>

#include <string>
#include <vector>

namespace berth::rootfs {

/// Makes the file system and attaches it. `label` is linux.mountLabel. A tmpfs, and whatever goes onto /dev, is
/// left writable if it is to be read-only, and remembered in `deferred`: other mounts and devices still need to
/// make their places in it.
Status mount_filesystem(const path::RootDir& root, const plan::Mount& mount, const std::string& label,
                        std::vector<DeferredReadonly>& deferred, KeptDescriptors& kept);

/// Whether read-only must wait until the root is complete.
[[nodiscard]] bool readonly_is_deferred(const plan::Mount& mount);

}  // namespace berth::rootfs
