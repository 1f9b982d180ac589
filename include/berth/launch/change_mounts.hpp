// `mounts add` and `mounts remove`: a process that enters a running container's mount namespace.
#pragma once

#include <berth/base/error.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/sys/process.hpp>
#include <berth/sys/unique_fd.hpp>

namespace berth::launch {

struct RunningContainer {
  const sys::Pidfd& init;        ///< its first process
  sys::UniqueFd user_namespace;  ///< that it was made in or has joined; invalid if it has none of its own
};

/// Adds `plan.rootfs.mounts` to the container, all or none, also when the caller is killed meanwhile. What is bound and
/// what the options of file systems name is of the caller's mount namespace, with the rights that `create` has there.
Status add_mounts(const plan::ContainerPlan& plan, const RunningContainer& container);

/// Takes away what is mounted at the destinations of `plan.rootfs.mounts`; nothing, where one is none.
Status remove_mounts(const plan::ContainerPlan& plan, const RunningContainer& container);

}  // namespace berth::launch
