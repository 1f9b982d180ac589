// A procfs that only this process can have tampered with.
#pragma once

#include <berth/base/error.hpp>
#include <berth/sys/unique_fd.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace berth::path {

/// A private mount of procfs, reached by descriptor: whatever a container mounted over /proc is not seen. Shows the
/// pid namespace of the process that opened it. Lookups stay beneath it, cross no mount and follow no magic link.
class ProcDir {
 public:
  static constexpr std::size_t kReadLimit = 65536;  ///< bytes; what files of a process hold is far less

  /// fsopen("proc") with subset=pid and hidepid=ptraceable: self, thread-self and numbers only. Where the kernel
  /// does not permit a new instance (a user namespace without its own pid namespace), the /proc of the mount
  /// namespace is taken if it is procfs and its inode is procfs' root; else an error.
  static Result<ProcDir> open();
  /// With everything in it, sys/ included: for sysctls only, and to be closed soon.
  static Result<ProcDir> open_full();
  /// The /proc of the mount namespace, if it is procfs and its inode is procfs' root: for who is in a mount namespace
  /// that it trusts. Unlike a new instance it costs nothing when it is closed.
  static Result<ProcDir> open_mounted();

  /// The procfs that this process has mounted itself: `mount` is from its fsmount(2). Others may have mounted something
  /// over parts of it since, where lookups end with EXDEV.
  static ProcDir of_own_mount(sys::UniqueFd mount) { return ProcDir(std::move(mount)); }

  [[nodiscard]] int fd() const { return fd_.get(); }
  /// Opens e.g. `self/oom_score_adj`.
  [[nodiscard]] Result<sys::UniqueFd> open_file(const std::string& path, int flags) const;
  [[nodiscard]] Result<std::string> read(const std::string& path, std::size_t limit = kReadLimit) const;
  /// One write(2) of the whole text.
  [[nodiscard]] Status write(const std::string& path, std::string_view data) const;
  /// The file behind `fd` (usually O_PATH, inode verified) opened anew with `flags`, through self/fd.
  /// `name` stands for it in an error.
  [[nodiscard]] Result<sys::UniqueFd> reopen(int fd, int flags, std::string_view name) const;

 private:
  explicit ProcDir(sys::UniqueFd fd) : fd_(std::move(fd)) {}
  sys::UniqueFd fd_;
};

}  // namespace berth::path
