// User, groups and capabilities of the calling process.
#pragma once

#include <berth/base/error.hpp>
#include <berth/plan/container_plan.hpp>

#include <cstdint>

namespace berth::security {

/// Capabilities that this kernel knows, as a mask (from /proc/sys/kernel/cap_last_cap or prctl(PR_CAPBSET_READ)).
Result<std::uint64_t> known_capabilities();

/// Becomes root of a new user namespace: setresgid(0), setresuid(0), and clears supplementary groups where allowed,
/// unless they are to stay.
Status become_namespace_root(bool keep_groups);

/// Capabilities that a process keeps beyond those of its plan, for a while.
struct KeptCapabilities {
  std::uint64_t capabilities = 0;  ///< mask
  /// Over the exec of another program of ours too: inheritable and ambient. With them CAP_SYS_PTRACE, if this process
  /// has it: execve(2) makes a process dumpable, and whoever has its ids and all its capabilities may trace it
  /// (ptrace(2), "Ptrace access mode checking") before that program can make itself undumpable.
  bool over_exec = false;
};

/// Gives up everything that the container's program must not have, in the only order that works: bounding set,
/// keep-capabilities, groups, gid, uid, then the capability sets, ambient last, and the umask. What is `kept` is taken
/// away by finish_capabilities(): CAP_SYS_ADMIN for a filter that is loaded without no_new_privs.
Status apply_credentials(const plan::User& user, const plan::Capabilities& capabilities, const KeptCapabilities& kept);

/// Takes the sets down to the plan's. One capset(2), allocates nothing: it runs under the filter.
Status finish_capabilities(const plan::Capabilities& capabilities);

}  // namespace berth::security
