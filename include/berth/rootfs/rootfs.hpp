// The container's file system, built from inside its new mount namespace.
#pragma once

#include <berth/base/error.hpp>
#include <berth/cgroup/cgroup.hpp>
#include <berth/path/proc_dir.hpp>
#include <berth/path/root_dir.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/rootfs/kept_descriptors.hpp>
#include <berth/sys/unique_fd.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace berth::rootfs {

struct Options {
  bool no_pivot = false;
  bool mount_namespace = true;                ///< the container has a mount namespace of its own, new or joined
  bool alone_in_mount_namespace = false;      ///< it is new, and nobody else looks into it before pivot()
  bool new_user_namespace = false;            ///< devices are bind-mounted, mknod(2) is not possible
  bool cgroup_namespace = false;              ///< the container has a cgroup namespace of its own
  const cgroup::View* cgroup_view = nullptr;  ///< null: no cgroup was made (--cgroup-manager disabled)
};

/// What was taken from the host for one mount of the plan, before anything of the container's could be in the way.
struct MountSource {
  std::vector<sys::UniqueFd>
      trees;         ///< detached: one for kBind, one for each hierarchy for kCgroup, one or none for kFilesystem
  std::string link;  ///< copy-symlink: what the link at the source says
  sys::UniqueFd user_namespace;   ///< of an id-mapped mount: whose maps it gets
  bool readonly_at_once = false;  ///< nothing is made in it: if it is to be read-only, it is so before anybody sees it
  std::span<const std::uint64_t> not_onto;  ///< ids of mounts that it must not be attached to, borrowed
};

/// Whether the mount may take what the container's process cannot do.
[[nodiscard]] bool needs_host(const plan::Mount& mount);
/// For these, to be called before the container's process is made, by who has its caller's rights on the host: only the
/// owner of a file system may map the ids of its mounts, and a block device need not be one that the container's device
/// rules let it open. Opens the source of an id-mapped bind mount and maps it, or makes the file system of a block
/// device; nothing for other mounts. `source.user_namespace` is set before for an id-mapped one.
Status open_host_source(const plan::Rootfs& plan, const plan::Mount& mount, MountSource& source);

/// A mount that must stay writable while the root is built and is read-only in the container.
struct DeferredReadonly {
  sys::UniqueFd mount;
  std::string name;
};

/// Builds the root in steps; each is called once, in this order, by the container's process in its new mount namespace.
class RootfsBuilder {
 public:
  /// `sources`: what open_host_source() opened, one for each mount of the plan; or empty.
  RootfsBuilder(const plan::Rootfs& plan, Options options, std::vector<MountSource> sources = {});

  /// Makes the namespace's mounts slaves (or as rootfsPropagation says) so that nothing reaches the host, and opens
  /// the rootfs and every bind source while the process still has the identity that may (before it becomes root of a
  /// new user namespace). Fails without a mount namespace if the plan has mounts: they would be the host's.
  Status open_sources();
  /// Makes the rootfs a mount of its own and puts every mount of the plan on it. Where nobody needs the host's files
  /// any more, they are out of reach after it.
  Status mount_all();
  /// The procfs that mount_all() has put into the container, if it did: whole, writable, of this process' pid
  /// namespace.
  [[nodiscard]] std::optional<path::ProcDir> take_procfs() { return std::exchange(procfs_, std::nullopt); }
  /// /dev: devices, /dev/fd and the other links, /dev/ptmx. Nothing where /dev is a bind mount.
  Status make_devices();
  /// Binds the container's terminal onto /dev/console. `slave` must have been opened from a devpts of this mount
  /// namespace.
  Status bind_console(int slave);
  /// The rootfs' directory: createContainer hooks see it, the console is bound in it. It is "/" after pivot().
  [[nodiscard]] const path::RootDir& root() const { return root_; }
  /// The rootfs becomes "/" and the old root is gone: chroot(2) where mount_all() has left the host's files, else
  /// pivot_root(2), or MS_MOVE with no_pivot, or chroot(2) where the container has no mount namespace of its own. The
  /// working directory is "/" after it.
  Status pivot();
  /// Read-only and masked paths, mounts that are read-only from now on, and a read-only root. Of the descriptors that
  /// this object opened, only root(), and a procfs that was taken, are open after it.
  Status seal();

 private:
  [[nodiscard]] bool needs_host_tree();
  [[nodiscard]] bool may_make_devices();
  Status open_root();
  Status attach_root();
  Status open_source(const plan::Mount& mount, MountSource& source) const;
  Status mount_one(const plan::Mount& mount, MountSource& source);

  const plan::Rootfs& plan_;
  Options options_;
  sys::UniqueFd rootfs_directory_;             ///< what the root's mount is attached to; until mount_all()
  bool host_tree_left_ = false;                ///< the root's mount is attached where the host's was
  path::RootDir root_;                         ///< the root of that mount
  std::vector<MountSource> sources_;           ///< one for each mount of the plan
  std::vector<sys::UniqueFd> device_sources_;  ///< with a new user namespace: a detached copy of each device's node
  std::vector<DeferredReadonly> deferred_readonly_;
  KeptDescriptors kept_;
  std::optional<path::ProcDir> procfs_;
  std::vector<sys::UniqueFd> host_kernel_mounts_;  ///< with no_pivot: procfs and sysfs of the host, to be detached
};

}  // namespace berth::rootfs
