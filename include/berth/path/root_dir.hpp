// Paths of the container: resolved below its root by the kernel (openat2), never by text.
#pragma once

#include <berth/base/error.hpp>
#include <berth/sys/unique_fd.hpp>

#include <sys/stat.h>

#include <string>
#include <string_view>

namespace berth::path {

/// The root directory of a container. Every path given to it is taken as if the process had chroot(2)ed there:
/// symbolic links and ".." cannot leave it (RESOLVE_IN_ROOT), and magic links are refused (RESOLVE_NO_MAGICLINKS).
/// In errors a path is written `<rootfs>/path`.
class RootDir {
 public:
  RootDir() = default;
  explicit RootDir(sys::UniqueFd fd) : fd_(std::move(fd)) {}

  [[nodiscard]] int fd() const { return fd_.get(); }

  /// openat2(2) with these open flags; O_PATH|O_NOFOLLOW gives the last component itself, symbolic link or not.
  [[nodiscard]] Result<sys::UniqueFd> open(std::string_view path, int flags) const;
  /// The same, but fails with ELOOP when a symbolic link is met on the way or at the end: what it opens is at `path`
  /// as written.
  [[nodiscard]] Result<sys::UniqueFd> open_without_links(std::string_view path, int flags) const;
  /// Makes the directory and all its parents where they are missing, and opens it as O_PATH|O_DIRECTORY. Each
  /// component is opened and verified before the next is made in it, so that nobody who swaps one for a link moves the
  /// rest elsewhere.
  [[nodiscard]] Result<sys::UniqueFd> make_directories(std::string_view path, mode_t mode) const;
  /// Makes an empty regular file (and its parents, mode 0755) where there is nothing, and opens it as O_PATH, following
  /// a final symbolic link inside the root.
  [[nodiscard]] Result<sys::UniqueFd> make_file(std::string_view path, mode_t mode) const;
  /// The same two for what is known to be missing, and without following any link: ELOOP where one is met. What they
  /// give is at `path` as written.
  [[nodiscard]] Result<sys::UniqueFd> make_directories_without_links(std::string_view path, mode_t mode) const;
  [[nodiscard]] Result<sys::UniqueFd> make_file_without_links(std::string_view path, mode_t mode) const;
  /// Opens the parent directory of `path` (O_PATH), making missing ones, and tells the last component's name:
  /// for mknodat(2), symlinkat(2) and unlinkat(2), which do not follow a final link.
  struct Parent {
    sys::UniqueFd directory;
    std::string name;
  };
  [[nodiscard]] Result<Parent> make_parent(std::string_view path, mode_t mode) const;

 private:
  sys::UniqueFd fd_;
};

/// The path without empty and "." components and with ".." resolved by text against "/"; starts with "/" and has no
/// slash at its end (but "/" itself). For names in messages and for comparing destinations, not for access.
[[nodiscard]] std::string clean(std::string_view path);

}  // namespace berth::path
