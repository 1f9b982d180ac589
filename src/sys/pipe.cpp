#include <berth/sys/pipe.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace berth::sys {

Result<Pipe> Pipe::create() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) < 0) {
    return sys_fail(errno, "pipe2");
  }
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Result<std::size_t> read_some(int fd, std::span<char> buffer, std::string_view name) {
  ssize_t count = -1;
  do {
    count = ::read(fd, buffer.data(), buffer.size());
  } while (count < 0 && errno == EINTR);
  if (count < 0) {
    return sys_fail(errno, "read({})", name);
  }
  return static_cast<std::size_t>(count);
}

}  // namespace berth::sys
