// rootfsPropagation: which mounts of the host and the container reach each other.
#pragma once

#include <berth/base/error.hpp>
#include <berth/path/proc_dir.hpp>
#include <berth/plan/container_plan.hpp>

#include <cstdint>
#include <string_view>

namespace berth::rootfs {

/// A change of propagation, as mount_setattr(2) takes it; type 0: none.
struct Propagation {
  std::uint64_t type = 0;
  bool recursive = false;
  friend bool operator==(const Propagation&, const Propagation&) = default;
};

/// What the new namespace's mounts become before anything is copied from them: as rootfsPropagation says, else slaves.
/// Unbindable mounts could not be copied: that comes last, and until then they are slaves.
[[nodiscard]] Propagation propagation_of_host(const plan::Rootfs& plan);
/// What they become after the copies were taken, so that nothing that is mounted then, or detached with the old
/// root, reaches the host.
[[nodiscard]] Propagation propagation_while_building(const plan::Rootfs& plan);
/// What the root's own mount becomes when it is copied: pivot_root(2) refuses a shared one.
[[nodiscard]] Propagation propagation_of_new_root(const plan::Rootfs& plan);
/// What "/" of the container becomes in the end.
[[nodiscard]] Propagation propagation_of_root(const plan::Rootfs& plan);

/// Applies a change to the mount of "/", if there is one.
Status set_root_propagation(const Propagation& propagation);
/// Applies a change to the mount that `mount` refers to, if there is one.
Status set_propagation(int mount, const Propagation& propagation);

/// Detaches the mount whose root `mount` refers to, with all that is mounted below it, from the mount namespace of the
/// calling process alone: what is mounted below shared mounts would go away in their peer groups too. EINVAL if it is
/// attached no more, or locked. `destination` stands for it in an error.
Status detach_alone(const path::ProcDir& proc, int mount, std::string_view destination);

}  // namespace berth::rootfs
