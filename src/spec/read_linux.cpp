#include "spec/read_config.hpp"

namespace berth::spec {

void read(const Cursor& at, Namespace& out) {
  Fields(at).required("type", out.type).optional("path", out.path);
}

void read(const Cursor& at, TimeOffset& offset) {
  Fields(at).optional("secs", offset.seconds).optional("nanosecs", offset.nanoseconds);
}

void read(const Cursor& at, Device& device) {
  Fields(at)
      .required("type", device.type)
      .required("path", device.path)
      .optional("major", device.major)
      .optional("minor", device.minor)
      .optional("fileMode", device.file_mode)
      .optional("uid", device.uid)
      .optional("gid", device.gid);
}

void read(const Cursor& at, NetDevice& device) {
  Fields(at).optional("name", device.name);
}

void read(const Cursor& at, Personality& personality) {
  Fields(at).optional("domain", personality.domain).optional("flags", personality.flags);
}

void read(const Cursor& at, MemoryPolicy& policy) {
  Fields(at).optional("mode", policy.mode).optional("nodes", policy.nodes).optional("flags", policy.flags);
}

void read(const Cursor& at, IntelRdt& rdt) {
  Fields(at)
      .optional("closID", rdt.clos_id)
      .optional("schemata", rdt.schemata)
      .optional("l3CacheSchema", rdt.l3_cache_schema)
      .optional("memBwSchema", rdt.memory_bandwidth_schema)
      .optional("enableMonitoring", rdt.enable_monitoring);
}

void read(const Cursor& at, SeccompArgument& argument) {
  Fields(at)
      .required("index", argument.index)
      .required("value", argument.value)
      .optional("valueTwo", argument.value_two)
      .required("op", argument.op);
}

void read(const Cursor& at, SeccompSyscall& syscall) {
  Fields(at)
      .required("names", syscall.names)
      .required("action", syscall.action)
      .optional("errnoRet", syscall.errno_return)
      .optional("args", syscall.arguments);
}

void read(const Cursor& at, Seccomp& seccomp) {
  Fields(at)
      .required("defaultAction", seccomp.default_action)
      .optional("defaultErrnoRet", seccomp.default_errno_return)
      .optional("architectures", seccomp.architectures)
      .optional("flags", seccomp.flags)
      .optional("listenerPath", seccomp.listener_path)
      .optional("listenerMetadata", seccomp.listener_metadata)
      .optional("syscalls", seccomp.syscalls);
}

void read(const Cursor& at, Linux& out) {
  Fields(at)
      .optional("namespaces", out.namespaces)
      .optional("uidMappings", out.uid_mappings)
      .optional("gidMappings", out.gid_mappings)
      .optional("timeOffsets", out.time_offsets)
      .optional("devices", out.devices)
      .optional("netDevices", out.net_devices)
      .optional("cgroupsPath", out.cgroups_path)
      .optional("resources", out.resources)
      .optional("rootfsPropagation", out.rootfs_propagation)
      .optional("seccomp", out.seccomp)
      .optional("sysctl", out.sysctl)
      .optional("maskedPaths", out.masked_paths)
      .optional("readonlyPaths", out.readonly_paths)
      .optional("mountLabel", out.mount_label)
      .optional("intelRdt", out.intel_rdt)
      .optional("memoryPolicy", out.memory_policy)
      .optional("personality", out.personality);
}

}  // namespace berth::spec
