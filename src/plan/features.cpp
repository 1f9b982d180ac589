#include <berth/plan/capabilities.hpp>
#include <berth/plan/features.hpp>

#include "plan/hook_names.hpp"
#include "plan/memory_policy_names.hpp"
#include "plan/mount_options.hpp"
#include "plan/namespace_names.hpp"
#include "plan/seccomp_names.hpp"

namespace berth::plan {

spec::Features features() {
  spec::Features features;
  for (const HookStage& stage : kHookStages) {
    features.hooks.push_back(stage.name);
  }
  for (const MountOption& option : mount_options()) {
    features.mount_options.push_back(option.name);
  }
  features.namespaces = names(kNamespaces);
  features.capabilities.assign(capability_names().begin(), capability_names().end());
  features.cgroup_v1 = true;
  features.cgroup_v2 = true;
  features.cgroup_systemd = true;
  features.cgroup_systemd_user = true;
  features.cgroup_rdma = true;
  features.seccomp_actions = names(kSeccompActions);
  features.seccomp_operators = names(kSeccompOperators);
  features.seccomp_architectures.assign(kSeccompArchitectures.begin(), kSeccompArchitectures.end());
  features.seccomp_supported_flags = names(kSeccompFlags);
  features.seccomp_known_flags = features.seccomp_supported_flags;
  features.apparmor = true;
  features.selinux = true;
  features.idmapped_mounts = true;
  features.intel_rdt = true;
  features.net_devices = true;
  // These change what a container may do, as said in lower_annotations() and lower_seccomp(), or the unit of its
  // cgroup.
  features.unsafe_annotations = {"org.systemd.property.", "run.oci."};
  features.memory_policy_modes = names(kMemoryPolicyModes);
  features.memory_policy_flags = names(kMemoryPolicyFlags);
  return features;
}

}  // namespace berth::plan
