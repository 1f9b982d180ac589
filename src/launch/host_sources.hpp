// Sources of mounts that take the supervisor's rights: the namespaces of id-mapped ones are ns', the mounts are
// rootfs'.
#pragma once

#include <berth/base/error.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/rootfs/rootfs.hpp>

#include <vector>

namespace berth::launch {

/// What rootfs::open_host_source() opens, each at its mount's place in the plan; empty if no mount needs it.
/// `user_namespace` is the one that the container has joined, whose maps the plan does not know; -1: none.
Result<std::vector<rootfs::MountSource>> open_host_sources(const plan::Rootfs& plan, int user_namespace);

}  // namespace berth::launch
