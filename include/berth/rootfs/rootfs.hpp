// The container's file system, built from inside its new mount namespace.
#pragma once

#include <berth/base/error.hpp>
#include <berth/cgroup/cgroup.hpp>
#include <berth/path/proc_dir.hpp>
#include <berth/path/root_dir.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/sys/unique_fd.hpp>

#include <functional>
#include <string>
#include <vector>

namespace berth::rootfs {

struct Options {
  bool no_pivot = false;
  bool new_user_namespace = false;            ///< devices are bind-mounted, mknod(2) is not possible
  bool cgroup_namespace = false;              ///< the container has a cgroup namespace of its own
  const cgroup::View* cgroup_view = nullptr;  ///< null: no cgroup was made (--cgroup-manager disabled)
};

/// Builds the root in steps; each is called once, in this order, by the container's process in its new mount namespace.
class RootfsBuilder {
 public:
  RootfsBuilder(const plan::Rootfs& plan, Options options);

  /// Makes the namespace's mounts private (or as rootfsPropagation says) so that nothing reaches the host, and opens
  /// the rootfs and every bind source while the process still has the identity that may (before it becomes root of a
  /// new user namespace).
  Status open_sources();
  /// Makes the rootfs a mount of its own and puts every mount of the plan on it, then /dev's nodes and links.
  Status mount_all(const path::ProcDir& proc);
  /// Devices, /dev/fd and the other links, /dev/ptmx.
  Status make_devices(const path::ProcDir& proc);
  /// The rootfs' directory, until pivot(): createContainer hooks see it, the console is bound in it.
  [[nodiscard]] const path::RootDir& root() const { return root_; }
  /// The rootfs becomes "/" and the old root is gone: pivot_root(2), MS_MOVE with no_pivot, or chroot(2) where the
  /// container has no mount namespace of its own. The working directory is "/" after it.
  Status pivot();
  /// Masked and read-only paths, and a read-only root.
  Status seal();

 private:
  const plan::Rootfs& plan_;
  Options options_;
  path::RootDir root_;
  std::vector<sys::UniqueFd> sources_;  ///< one for each mount of the plan; invalid where it has no source
};

}  // namespace berth::rootfs
