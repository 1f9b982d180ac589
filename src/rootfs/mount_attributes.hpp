// Flags and propagation of a mount, for mount_setattr(2).
#pragma once

#include <berth/base/error.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/sys/mount.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace berth::rootfs {

/// One call of mount_setattr(2).
struct AttributeCall {
  mount_attr attributes{};
  bool recursive = false;
};

/// The calls that give a copied tree what `mount` says, recursive ones first, so that what is said of the mount alone
/// has the last word. Flags that it does not name stay as they are at the source.
[[nodiscard]] std::vector<AttributeCall> attribute_calls(const plan::Mount& mount);

/// MOUNT_ATTR_RDONLY alone.
[[nodiscard]] mount_attr readonly_attribute();

/// Makes those calls on the detached tree.
Status apply_attributes(int tree, const plan::Mount& mount);

/// Gives the mount the ids of a user namespace (MOUNT_ATTR_IDMAP); with ridmap those below it too.
Status map_ids(int mount_fd, const plan::Mount& mount, int user_namespace);

/// "nosuid,noexec": MOUNT_ATTR_* as mount options.
[[nodiscard]] std::string attribute_names(std::uint64_t attributes);

}  // namespace berth::rootfs
