// The configuration that `berth spec` writes.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace berth::spec {

/// The user whom a rootless container maps to its root.
struct RootlessOwner {
  uid_t uid = 0;
  gid_t gid = 0;
};

/// A config.json that runs `sh` in `rootfs` on a terminal, with the namespaces, mounts, devices and three capabilities
/// that engines give by default; it runs on cgroup v1 and v2. With `rootless` it has a user namespace, and nothing that
/// needs privilege on the host. Indented, with a newline at its end.
[[nodiscard]] std::string default_config_json(const std::optional<RootlessOwner>& rootless);

}  // namespace berth::spec
