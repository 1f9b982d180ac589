// From configuration to plan: validates everything, then translates. No system call is made here.
#pragma once

#include <berth/base/error.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/spec/config.hpp>

#include <cstdint>
#include <string>

namespace berth::plan {

/// What lower() must know of this host and this call; gathered by the caller, so that tests can say it.
struct HostFacts {
  std::uint64_t capabilities = ~std::uint64_t{0};  ///< capabilities that this kernel knows
  uid_t euid = 0;
  bool rootless = false;  ///< --rootless: the caller has no privilege outside its user namespace
};

/// The plan for a configuration. `bundle` is the absolute path of the bundle's directory, which relative paths of the
/// configuration start at. All errors of the configuration are collected: one Error of kind kConfig whose text is a
/// line of `POINTER: VALUE: EXPECTATION`, joined by "; ".
Result<ContainerPlan> lower(const spec::Config& config, const std::string& bundle, const HostFacts& facts);

/// What is to change of a container that exists.
struct Update {
  Resources resources;   ///< those limits that are set
  std::string schemata;  ///< new lines for the schemata of its class of Intel RDT; empty: none
};
/// From what `update` was told. `oci_version` is the specification's that this is written by; "" for a document, which
/// says none: a pids limit of 0 is "not set" there, as engines write it.
Result<Update> lower_update(const spec::Resources& resources, const spec::IntelRdt& intel_rdt,
                            const std::string& oci_version);

/// The same for `exec`, of a container that was made with `config` (whose `process` is that of the exec): only
/// namespaces, process, seccomp and intel_rdt are filled, and nothing else is looked at.
Result<ContainerPlan> lower_exec(const spec::Config& config, const HostFacts& facts);

/// For `mounts add`, of a container that was made with `config` (whose `mounts` are those to add): only namespaces and
/// rootfs are filled. Refuses what only the container's first process can mount, and what cannot be undone.
Result<ContainerPlan> lower_added_mounts(const spec::Config& config, const std::string& bundle);

/// For `mounts remove`: of each of `config.mounts` the destination counts, and nothing else. Refuses the root, and
/// what protects the host from the container: masked and read-only paths, which are in the plan too.
Result<ContainerPlan> lower_removed_mounts(const spec::Config& config);

}  // namespace berth::plan
