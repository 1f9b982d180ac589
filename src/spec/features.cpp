#include <berth/spec/features.hpp>
#include <berth/spec/state.hpp>

#include "spec/json_writer.hpp"

namespace berth::spec {
namespace {

void write_enabled(JsonWriter& writer, std::string_view name, bool enabled) {
  writer.key(name);
  writer.begin_object();
  writer.member("enabled", enabled);
  writer.end_object();
}

void write_cgroup(JsonWriter& writer, const Features& features) {
  writer.key("cgroup");
  writer.begin_object();
  writer.member("v1", features.cgroup_v1);
  writer.member("v2", features.cgroup_v2);
  writer.member("systemd", features.cgroup_systemd);
  writer.member("systemdUser", features.cgroup_systemd_user);
  writer.member("rdma", features.cgroup_rdma);
  writer.end_object();
}

void write_seccomp(JsonWriter& writer, const Features& features) {
  writer.key("seccomp");
  writer.begin_object();
  writer.member("enabled", !features.seccomp_actions.empty());
  writer.string_array("actions", features.seccomp_actions);
  writer.string_array("operators", features.seccomp_operators);
  writer.string_array("archs", features.seccomp_architectures);
  writer.string_array("knownFlags", features.seccomp_known_flags);
  writer.string_array("supportedFlags", features.seccomp_supported_flags);
  writer.end_object();
}

void write_linux(JsonWriter& writer, const Features& features) {
  writer.key("linux");
  writer.begin_object();
  writer.string_array("namespaces", features.namespaces);
  writer.string_array("capabilities", features.capabilities);
  write_cgroup(writer, features);
  write_seccomp(writer, features);
  write_enabled(writer, "apparmor", features.apparmor);
  write_enabled(writer, "selinux", features.selinux);
  write_enabled(writer, "intelRdt", features.intel_rdt);
  writer.key("memoryPolicy");
  writer.begin_object();
  writer.string_array("modes", features.memory_policy_modes);
  writer.string_array("flags", features.memory_policy_flags);
  writer.end_object();
  writer.key("mountExtensions");
  writer.begin_object();
  write_enabled(writer, "idmap", features.idmapped_mounts);
  writer.end_object();
  write_enabled(writer, "netDevices", features.net_devices);
  writer.end_object();
}

}  // namespace

std::string features_json(const Features& features) {
  JsonWriter writer(Layout::kIndented);
  writer.begin_object();
  writer.member("ociVersionMin", kOciVersionMin);
  writer.member("ociVersionMax", kOciVersion);
  writer.string_array("hooks", features.hooks);
  writer.string_array("mountOptions", features.mount_options);
  write_linux(writer, features);
  if (!features.annotations.empty()) {
    writer.string_object("annotations", features.annotations);
  }
  if (!features.unsafe_annotations.empty()) {
    writer.string_array("potentiallyUnsafeConfigAnnotations", features.unsafe_annotations);
  }
  writer.end_object();
  return writer.take();
}

}  // namespace berth::spec
