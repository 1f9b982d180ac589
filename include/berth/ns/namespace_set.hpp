// Joining namespaces that exist, and what is written into new ones.
#pragma once

#include <berth/base/error.hpp>
#include <berth/path/proc_dir.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/sys/unique_fd.hpp>

#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace berth::ns {

/// "network" for CLONE_NEWNET: the specification's name of a namespace type.
[[nodiscard]] std::string_view namespace_name(int flag);

/// The namespaces of `joined`, opened while their paths are still those of the host.
class NamespaceSet {
 public:
  /// Opens every path and checks that it is a namespace of the type that the configuration says (NS_GET_NSTYPE).
  static Result<NamespaceSet> open(std::span<const plan::JoinedNamespace> joined);

  /// Joins those with these indices: everything with the caller's rights first, and what those do not reach (EPERM)
  /// again after the user namespace was joined.
  [[nodiscard]] Status join(std::span<const std::size_t> indices) const;
  /// Of the one of type `flag` (CLONE_NEW*), or -1.
  [[nodiscard]] int descriptor(int flag) const;

 private:
  struct Entry {
    sys::UniqueFd fd;
    int flag = 0;
    std::string path;
  };
  [[nodiscard]] Status join_entry(const Entry& entry) const;
  std::vector<Entry> entries_;
};

/// Enters namespaces for the next child alone, and comes back when it is destroyed or by restore(): the supervisor's
/// side of a pid namespace that is joined and of a new time namespace.
class ChildNamespaceSwitch {
 public:
  ChildNamespaceSwitch() = default;
  ChildNamespaceSwitch(const ChildNamespaceSwitch&) = delete;
  ChildNamespaceSwitch& operator=(const ChildNamespaceSwitch&) = delete;
  ~ChildNamespaceSwitch();

  /// Remembers the caller's own namespace of the kind `flag` (CLONE_NEWPID or CLONE_NEWTIME), to be restored.
  Status remember(int flag);
  /// Goes back; children made after it are in the caller's namespaces again.
  Status restore();

 private:
  sys::UniqueFd pid_;
  sys::UniqueFd time_;
};

/// unshare(CLONE_NEWTIME) and /proc/self/timens_offsets, before any process is in the new namespace.
Status create_time_namespace(std::span<const plan::TimeOffset> offsets);

/// Whether the user namespace that `fd` refers to is the one that a container of the caller's got: made in the caller's
/// own (NS_GET_PARENT), or at the path of `joined`. One that a process in it has made is neither.
Result<bool> is_user_namespace_of(std::span<const plan::JoinedNamespace> joined, int fd);
/// Whether the mount namespace of the calling process belongs to this user namespace (NS_GET_USERNS), so that nobody
/// with fewer rights rules over the mounts in it. -1: to the user namespace of the calling process.
Result<bool> mount_namespace_belongs_to(const path::ProcDir& proc, int user_namespace);

/// linux.sysctl, through `proc`, a whole procfs of the pid namespace that the container has got anyway; without one
/// (null), or where the configuration mounts something over it, through a private one.
Status write_sysctls(std::span<const plan::Sysctl> sysctls, const path::ProcDir* proc);
/// sethostname(2), setdomainname(2); empty names change nothing.
Status set_names(const std::string& hostname, const std::string& domainname);

}  // namespace berth::ns
