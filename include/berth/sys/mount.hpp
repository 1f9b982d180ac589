// The mount API on descriptors (Linux 5.2, mount_setattr 5.12): nothing here takes a path of the container.
// `name` stands for the object in an error.
#pragma once

#include <berth/base/error.hpp>
#include <berth/sys/unique_fd.hpp>

#include <linux/mount.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace berth::sys {

/// fsopen(2): a context that describes one file system of this type.
Result<UniqueFd> fs_open(const std::string& type);
/// fsconfig(FSCONFIG_SET_FLAG): an option without a value. The kernel's own explanation (the context's message
/// queue) becomes part of an error here, in fs_set_string and in fs_create.
Status fs_set_flag(int context, const std::string& key);
/// fsconfig(FSCONFIG_SET_STRING).
Status fs_set_string(int context, const std::string& key, const std::string& value);
/// fsconfig(FSCONFIG_CMD_CREATE).
Status fs_create(int context, std::string_view name);
/// fsmount(2): a detached mount of the created file system with these MOUNT_ATTR_ flags.
Result<UniqueFd> fs_mount(int context, std::uint64_t attributes, std::string_view name);
/// fspick(2): a context that describes the file system of the mount whose root `mount` is.
Result<UniqueFd> fs_pick(int mount, std::string_view name);
/// fsconfig(FSCONFIG_CMD_RECONFIGURE).
Status fs_reconfigure(int context, std::string_view name);

/// open_tree(2); OPEN_TREE_CLONE (and AT_RECURSIVE) in `flags` give a detached copy, without it an O_PATH descriptor.
/// An empty `path` names `directory` itself.
Result<UniqueFd> open_tree(int directory, const std::string& path, unsigned flags, std::string_view name);
/// move_mount(2) of the detached mount `mount` onto the file that `target` refers to, by descriptor on both sides.
Status move_mount(int mount, int target, std::string_view name);
/// move_mount(2) of the detached mount `mount` onto "/".
Status move_mount_onto_root(int mount, std::string_view name);
/// move_mount(2) onto the entry `entry` (one component, which is not followed if it is a link) of `directory`.
Status move_mount_into(int mount, int directory, const std::string& entry, std::string_view name);
/// mount_setattr(2) on the mount that `mount` refers to; `recursive` adds AT_RECURSIVE.
Status mount_set_attributes(int mount, const mount_attr& attributes, bool recursive, std::string_view name);
/// mount_setattr(2) on the mount of the calling process's "/".
Status root_set_attributes(const mount_attr& attributes, bool recursive);
/// Where a file is in the tree of mounts.
struct MountPlace {
  std::uint64_t mount_id = 0;
  bool is_root = false;  ///< it is what the mount shows at its place
};
/// statx(2) of what `fd` refers to; the id is that of /proc/PID/mountinfo.
Result<MountPlace> mount_place(int fd, std::string_view name);
/// statx(2) of what is uppermost at "/", which umount2("/") would detach; the id is one that no other mount ever has
/// (STATX_MNT_ID_UNIQUE, Linux 6.8; ENOSYS before).
Result<MountPlace> root_mount();
/// Part of what the kernel says of a mount.
struct MountStatus {
  std::uint64_t parent_id = 0;    ///< unique; its own if it has no parent
  std::uint64_t propagation = 0;  ///< MS_SHARED and MS_SLAVE, together too; MS_PRIVATE or MS_UNBINDABLE
};
/// statmount(2) (Linux 6.8) of the mount with this unique id, which need not be below "/".
Result<MountStatus> mount_status(std::uint64_t unique_id);

/// fchdir(2).
Status enter_directory(int directory, std::string_view name);
/// chdir(2) to "/".
Status enter_root();
/// chroot(2) to the working directory.
Status change_root_here();
/// umount2(2) with MNT_DETACH of what is uppermost at the calling process's working directory or at "/": the only paths
/// it takes are those that the runtime itself stands on.
Status detach_mount(const char* path);
/// umount2(2) with MNT_DETACH of the mount whose root `mount` refers to. `descriptors` is /proc/self/fd of a trusted
/// procfs, through which the kernel is told which one without a name in the container; it is the working directory
/// after it.
Status detach_mount_of(int descriptors, int mount, std::string_view name);
/// pivot_root(".", "."): the working directory becomes the root, the old root is stacked on top of it.
Status pivot_root_here();
/// mount(2) with MS_MOVE of "." onto "/", for --no-pivot.
Status move_working_directory_to_root();

}  // namespace berth::sys
