// Sources of mounts that take the supervisor's rights: the namespaces of id-mapped ones are ns', the mounts are
// rootfs'.
#pragma once

#include <berth/base/error.hpp>
#include <berth/ns/namespace_set.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/rootfs/rootfs.hpp>

#include <vector>

namespace berth::launch {

/// What rootfs::open_host_source() opens, each at its mount's place in the plan; empty if no mount needs it.
Result<std::vector<rootfs::MountSource>> open_host_sources(const plan::ContainerPlan& plan,
                                                           const ns::NamespaceSet& namespaces);

}  // namespace berth::launch
