// User, groups and capability sets of the calling thread (the runtime has one thread: of the process).
#pragma once

#include <berth/base/error.hpp>

#include <sys/types.h>

#include <cstdint>
#include <span>

namespace berth::sys {

/// As capset(2) takes them; bit n is capability n.
struct CapabilitySets {
  std::uint64_t effective = 0;
  std::uint64_t permitted = 0;
  std::uint64_t inheritable = 0;
};

/// capget(2).
Result<CapabilitySets> get_capabilities();
/// capset(2). Allocates nothing unless it fails.
Status set_capabilities(const CapabilitySets& sets);
/// setgroups(2).
Status set_groups(std::span<const gid_t> groups);
/// setresgid(2): real, effective and saved id.
Status set_gid(gid_t gid);
/// setresuid(2): real, effective and saved id. When it changes an id, the process becomes undumpable, and its parent's
/// death no longer kills it.
Status set_uid(uid_t uid);
/// umask(2).
void set_umask(mode_t mask);

}  // namespace berth::sys
