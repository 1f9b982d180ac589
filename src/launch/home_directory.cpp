#include "launch/home_directory.hpp"

#include <berth/base/passwd.hpp>
#include <berth/sys/file.hpp>

#include <fcntl.h>
#include <sys/stat.h>

namespace berth::launch {

std::string home_in_passwd(std::string_view passwd, uid_t uid) {
  const auto entry = find_user_by_id(passwd, uid);
  return entry && entry->home.starts_with('/') ? std::string(entry->home) : "/";
}

std::string container_passwd() {
  constexpr std::size_t kMaxPasswd = 1024 * 1024;
  // O_NONBLOCK: the container may have put a FIFO there. No file, or one that cannot be read, is no error.
  const auto file = sys::open_at(AT_FDCWD, "/etc/passwd", O_RDONLY | O_NONBLOCK);
  if (!file) {
    return {};
  }
  const auto status = sys::stat_fd(file->get(), "/etc/passwd");
  if (!status || !S_ISREG(status->st_mode)) {
    return {};
  }
  return sys::read_all(file->get(), kMaxPasswd, "/etc/passwd").value_or("");
}

std::string home_of(uid_t uid) {
  return home_in_passwd(container_passwd(), uid);
}

}  // namespace berth::launch
