#include <berth/sys/seccomp.hpp>

#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace berth::sys {

Result<int> set_seccomp_filter(std::span<const sock_filter> program, std::uint64_t flags) {
  const bool listens = (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) != 0;
  if (listens && (flags & SECCOMP_FILTER_FLAG_TSYNC) != 0) {
    flags |= SECCOMP_FILTER_FLAG_TSYNC_ESRCH;  // the kernel wants this where a positive result is a descriptor
  }
  // The kernel only reads the program; sock_fprog has no const pointer.
  const sock_fprog request = {static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
  const long result = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &request);
  if (result == 0 || (listens && result > 0)) {
    return static_cast<int>(result);
  }
  // A positive result is the thread that SECCOMP_FILTER_FLAG_TSYNC could not take along.
  Error error = seccomp_error(
      result > 0 ? EBUSY : errno,
      fmt::format("seccomp(SECCOMP_SET_MODE_FILTER, flags {:#x}, {} instructions)", flags, program.size()));
  if (listens && error.is(EBUSY)) {
    error.add_hint("a filter that this process is already under has a listener, and the kernel takes only one");
  }
  return std::unexpected(std::move(error));
}

Error seccomp_error(int errnum, std::string operation) {
  Error error = Error::system(errnum, std::move(operation));
  if (error.is(EACCES)) {
    error.add_hint("it needs process.noNewPrivileges or CAP_SYS_ADMIN");
  } else if (error.is(EINVAL)) {
    error.add_hint("the kernel does not know one of linux.seccomp.flags");
  }
  return error;
}

}  // namespace berth::sys
