// The seccomp filter: compiled by the supervisor before anything exists, loaded by the container's process.
#pragma once

#include <berth/base/error.hpp>
#include <berth/plan/container_plan.hpp>

#include <linux/filter.h>

#include <cstdint>
#include <string>
#include <vector>

namespace berth::security {

/// A compiled classic BPF program with the flags to load it with.
class FilterProgram {
 public:
  /// The program of the profile itself if it has one. Else compiles with libseccomp: syscall names that libseccomp does
  /// not know are skipped (a profile lists those of many kernels) unless the profile wants them refused; a system call
  /// newer than every one that the profile names answers ENOSYS rather than the default action's errno, so that
  /// programs fall back to older calls. `cache` is a directory of this user's for compiled filters, made and filled
  /// here; without one (empty) every profile is compiled.
  static Result<FilterProgram> compile(const plan::Seccomp& seccomp, const std::string& cache = {});

  /// Whether some calls go to a listener.
  [[nodiscard]] bool notifies() const { return notifies_; }
  /// seccomp(SECCOMP_SET_MODE_FILTER). Needs no_new_privs or CAP_SYS_ADMIN. Allocates nothing. Without a listener, so
  /// that calls which it notifies answer ENOSYS.
  [[nodiscard]] Status load() const;
  /// The same with a listener, whose descriptor (close-on-exec) it gives.
  [[nodiscard]] Result<int> load_with_listener() const;
  /// SECCOMP_FILTER_FLAG_* as load() gives them.
  [[nodiscard]] std::uint64_t load_flags() const;
  [[nodiscard]] const std::vector<sock_filter>& instructions() const { return instructions_; }

 private:
  std::vector<sock_filter> instructions_;
  std::uint64_t flags_ = 0;
  bool notifies_ = false;
};

}  // namespace berth::security
