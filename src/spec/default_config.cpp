#include <berth/spec/default_config.hpp>
#include <berth/spec/state.hpp>

#include <array>
#include <initializer_list>

#include "spec/json_writer.hpp"

namespace berth::spec {
namespace {

using Names = std::initializer_list<std::string_view>;

constexpr std::array<std::string_view, 3> kCapabilities = {"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"};

void write_process(JsonWriter& writer) {
  writer.key("process");
  writer.begin_object();
  writer.member("terminal", true);
  writer.key("user");
  writer.begin_object();
  writer.member("uid", 0);
  writer.member("gid", 0);
  writer.end_object();
  writer.string_array("args", Names{"sh"});
  writer.string_array("env", Names{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"});
  writer.member("cwd", "/");
  writer.key("capabilities");
  writer.begin_object();
  for (const std::string_view set : {"bounding", "effective", "permitted"}) {
    writer.string_array(set, kCapabilities);
  }
  writer.end_object();
  writer.key("rlimits");
  writer.begin_array();
  writer.begin_object();
  writer.member("type", "RLIMIT_NOFILE");
  writer.member("soft", 1024);
  writer.member("hard", 1024);
  writer.end_object();
  writer.end_array();
  writer.member("noNewPrivileges", true);
  writer.end_object();
}

void write_mount(JsonWriter& writer, std::string_view destination, std::string_view type, std::string_view source,
                 Names options) {
  writer.begin_object();
  writer.member("destination", destination);
  writer.member("type", type);
  writer.member("source", source);
  if (options.size() != 0) {
    writer.string_array("options", options);
  }
  writer.end_object();
}

void write_mounts(JsonWriter& writer, bool rootless) {
  writer.key("mounts");
  writer.begin_array();
  write_mount(writer, "/proc", "proc", "proc", {});
  write_mount(writer, "/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"});
  if (rootless) {  // no gid=5: the one gid that is mapped is 0
    write_mount(writer, "/dev/pts", "devpts", "devpts",
                {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"});
  } else {
    write_mount(writer, "/dev/pts", "devpts", "devpts",
                {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"});
  }
  write_mount(writer, "/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"});
  write_mount(writer, "/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"});
  if (rootless) {  // a new sysfs needs a network namespace of the same user namespace
    write_mount(writer, "/sys", "none", "/sys", {"rbind", "nosuid", "noexec", "nodev", "ro"});
  } else {
    write_mount(writer, "/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"});
    write_mount(writer, "/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"});
  }
  writer.end_array();
}

void write_id_mapping(JsonWriter& writer, std::string_view name, std::uint32_t host_id) {
  writer.key(name);
  writer.begin_array();
  writer.begin_object();
  writer.member("containerID", 0);
  writer.member("hostID", host_id);
  writer.member("size", 1);
  writer.end_object();
  writer.end_array();
}

void write_namespaces(JsonWriter& writer, bool rootless) {
  writer.key("namespaces");
  writer.begin_array();
  for (const std::string_view type : {"pid", rootless ? "user" : "network", "ipc", "uts", "mount", "cgroup"}) {
    writer.begin_object();
    writer.member("type", type);
    writer.end_object();
  }
  writer.end_array();
}

void write_linux(JsonWriter& writer, const std::optional<RootlessOwner>& rootless) {
  writer.key("linux");
  writer.begin_object();
  if (rootless) {
    write_id_mapping(writer, "uidMappings", rootless->uid);
    write_id_mapping(writer, "gidMappings", rootless->gid);
  } else {
    writer.key("resources");
    writer.begin_object();
    writer.key("devices");
    writer.begin_array();
    writer.begin_object();
    writer.member("allow", false);
    writer.member("access", "rwm");
    writer.end_object();
    writer.end_array();
    writer.end_object();
  }
  write_namespaces(writer, rootless.has_value());
  writer.string_array("maskedPaths", Names{"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys",
                                           "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
                                           "/proc/sched_debug", "/sys/firmware", "/proc/scsi"});
  writer.string_array("readonlyPaths", Names{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"});
  writer.end_object();
}

}  // namespace

std::string default_config_json(const std::optional<RootlessOwner>& rootless) {
  JsonWriter writer(Layout::kIndented);
  writer.begin_object();
  writer.member("ociVersion", kOciVersion);
  write_process(writer);
  writer.key("root");
  writer.begin_object();
  writer.member("path", "rootfs");
  writer.member("readonly", true);
  writer.end_object();
  writer.member("hostname", "berth");
  write_mounts(writer, rootless.has_value());
  write_linux(writer, rootless);
  writer.end_object();
  return writer.take() + '\n';
}

}  // namespace berth::spec
