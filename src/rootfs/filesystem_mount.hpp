// New instances of file systems: proc, sysfs, tmpfs, devpts, mqueue, overlay and every other type.
#pragma once

#include <berth/base/error.hpp>
#include <berth/path/root_dir.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/rootfs/rootfs.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::rootfs {

/// Makes the file system of a block device, detached; nothing if `mount.source` is none.
Status make_filesystem_of_device(const plan::Rootfs& plan, const plan::Mount& mount, MountSource& source);

/// Makes the file system, detached, before there is a place for it: a tmpfs gets no mode of that.
Status make_filesystem_ahead(const plan::Rootfs& plan, const plan::Mount& mount, MountSource& source);

/// Makes the file system, unless it is in `source` already, and attaches it, with the label of `plan`. A tmpfs, and
/// whatever goes onto /dev, is left writable if it is to be read-only, and remembered in `deferred`: other mounts and
/// devices still need to make their places in it; unless `source.readonly_at_once`. Gives the mount's descriptor unless
/// it is remembered there.
Result<sys::UniqueFd> mount_filesystem(const path::RootDir& root, const plan::Mount& mount, MountSource& source,
                                       const plan::Rootfs& plan, std::vector<DeferredReadonly>& deferred,
                                       KeptDescriptors& kept);
/// Whether the mount has a file system option of this name.
[[nodiscard]] bool has_option(const plan::Mount& mount, std::string_view key);

/// fsconfig(2) of one option, with or without a value.
Status set_option(int context, const std::string& key, const std::optional<std::string>& value);

/// Whether read-only must wait until the root is complete.
[[nodiscard]] bool readonly_is_deferred(const plan::Mount& mount);

}  // namespace berth::rootfs
