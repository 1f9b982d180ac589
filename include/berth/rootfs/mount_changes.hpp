// Mounts of a container that runs: `mounts add` and `mounts remove`. All of it is done by a process of berth's that has
// entered the container's mount namespace, below the root of that.
#pragma once

#include <berth/base/error.hpp>
#include <berth/path/proc_dir.hpp>
#include <berth/path/root_dir.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/rootfs/rootfs.hpp>
#include <berth/sys/unique_fd.hpp>

#include <string>
#include <vector>

namespace berth::rootfs {

class AddedMounts {
 public:
  /// `sources`: what open_host_source() opened, one for each mount of the plan; or empty.
  explicit AddedMounts(const plan::Rootfs& plan, std::vector<MountSource> sources = {});

  /// In a copy of the host's mount namespace that nobody else is in, so that the copies are what they are for `create`:
  /// no peers of the host's mounts, and with flags that a user namespace cannot take off. Opens what is bound, and
  /// makes the file systems whose options may name paths of the host.
  Status open_sources();
  /// In the container's mount namespace. Attaches all, in order, or none: those before one that fails are detached
  /// again. Places that are made in the container's file system stay. `proc` is for the undoing.
  Status attach(const path::RootDir& root, const path::ProcDir& proc);

 private:
  struct Attached {
    sys::UniqueFd mount;
    std::string destination;
    bool becomes_readonly = false;
  };
  Status open_source(const plan::Mount& mount, MountSource& source) const;
  Status attach_one(const path::RootDir& root, const plan::Mount& mount, MountSource& source);
  Status attach_all(const path::RootDir& root, const path::ProcDir& proc);
  Error detach_all(const path::ProcDir& proc, Error reason) const;

  const plan::Rootfs& plan_;
  std::vector<MountSource> sources_;
  std::vector<Attached> attached_;
};

/// Detaches what is mounted at the destinations of `plan.mounts`, with all that is mounted below it (MNT_DETACH: a
/// program that uses it would keep it there otherwise). Looks at all of them first, and takes none away when one is no
/// mount, is not at its destination but where a link leads to, is the root, would go away in other mount namespaces
/// too, or protects the host: on procfs or sysfs, and at the masked and read-only paths of `plan`. What the kernel then
/// keeps (EINVAL: locked) is an error that names those that are gone.
Status remove_mounts(const plan::Rootfs& plan, const path::RootDir& root, const path::ProcDir& proc);

}  // namespace berth::rootfs
