#include <berth/sys/eventfd.hpp>

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

namespace berth::sys {

Result<UniqueFd> make_eventfd() {
  UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd.valid()) {
    return sys_fail(errno, "eventfd");
  }
  return fd;
}

Result<std::uint64_t> read_eventfd(int fd) {
  std::uint64_t count = 0;
  if (::read(fd, &count, sizeof count) < 0 && errno != EAGAIN && errno != EINTR) {
    return sys_fail(errno, "read(eventfd)");
  }
  return count;
}

}  // namespace berth::sys
