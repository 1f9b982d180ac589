// The features document: what this program can do, for engines.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace berth::spec {

/// Content of the features document; plan::features() fills it from the tables that configurations are validated with.
struct Features {
  std::vector<std::string_view> hooks;
  std::vector<std::string_view> mount_options;
  std::vector<std::string_view> namespaces;
  std::vector<std::string_view> capabilities;
  bool cgroup_v1 = false;
  bool cgroup_v2 = false;
  bool cgroup_systemd = false;
  bool cgroup_systemd_user = false;
  bool cgroup_rdma = false;
  std::vector<std::string_view> seccomp_actions;
  std::vector<std::string_view> seccomp_operators;
  std::vector<std::string_view> seccomp_architectures;
  std::vector<std::string_view> seccomp_known_flags;
  std::vector<std::string_view> seccomp_supported_flags;
  bool apparmor = false;
  bool selinux = false;
  bool intel_rdt = false;
  bool idmapped_mounts = false;
  bool net_devices = false;
  std::vector<std::string_view> memory_policy_modes;
  std::vector<std::string_view> memory_policy_flags;
  std::vector<std::pair<std::string_view, std::string>> annotations;  ///< what this build is
  std::vector<std::string_view> unsafe_annotations;
};

/// The document, indented, without a newline at its end.
[[nodiscard]] std::string features_json(const Features& features);

}  // namespace berth::spec
