#include "launch/home_directory.hpp"

#include <berth/sys/file.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <charconv>

namespace berth::launch {

std::string home_in_passwd(std::string_view passwd, uid_t uid) {
  constexpr std::size_t kUid = 2;
  constexpr std::size_t kHome = 5;
  while (!passwd.empty()) {
    std::string_view line = passwd.substr(0, passwd.find('\n'));
    passwd.remove_prefix(std::min(passwd.size(), line.size() + 1));
    std::array<std::string_view, 7> fields{};
    for (std::string_view& field : fields) {
      field = line.substr(0, line.find(':'));
      line.remove_prefix(std::min(line.size(), field.size() + 1));
    }
    uid_t entry = 0;
    const std::string_view number = fields[kUid];
    const auto parsed = std::from_chars(number.data(), number.data() + number.size(), entry);
    if (parsed.ec == std::errc() && parsed.ptr == number.data() + number.size() && entry == uid &&
        fields[kHome].starts_with('/')) {
      return std::string(fields[kHome]);
    }
  }
  return "/";
}

std::string home_of(uid_t uid) {
  constexpr std::size_t kMaxPasswd = 1024 * 1024;
  // O_NONBLOCK: the container may have put a FIFO there. No file, or one that cannot be read, is no error.
  const auto file = sys::open_at(AT_FDCWD, "/etc/passwd", O_RDONLY | O_NONBLOCK);
  if (!file) {
    return "/";
  }
  const auto status = sys::stat_fd(file->get(), "/etc/passwd");
  if (!status || !S_ISREG(status->st_mode)) {
    return "/";
  }
  const auto text = sys::read_all(file->get(), kMaxPasswd, "/etc/passwd");
  return text ? home_in_passwd(*text, uid) : "/";
}

}  // namespace berth::launch
