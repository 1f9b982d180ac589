#include <berth/launch/sealed_self.hpp>
#include <berth/sys/file.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace berth::launch {
namespace {

constexpr int kAllSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

}  // namespace

Status ensure_sealed_self(char* const* argv) {
  const sys::UniqueFd self = TRY(sys::open_at(AT_FDCWD, "/proc/self/exe", O_RDONLY));
  // Only a memory file has seals; any other file answers EINVAL.
  if (::fcntl(self.get(), F_GET_SEALS) == kAllSeals) {
    return {};
  }
  const struct stat status = TRY(sys::stat_fd(self.get(), "/proc/self/exe"));
  const sys::UniqueFd copy = TRY(sys::memory_file("berth", true));
  off_t offset = 0;
  while (offset < status.st_size) {
    const ssize_t sent = ::sendfile(copy.get(), self.get(), &offset, static_cast<std::size_t>(status.st_size - offset));
    if (sent < 0) {
      return sys_fail(errno, "sendfile(/proc/self/exe)");
    }
    if (sent == 0) {
      return fail(ErrorKind::kSystem, "copy /proc/self/exe: it ended at byte {} of {}", offset, status.st_size);
    }
  }
  if (::fcntl(copy.get(), F_ADD_SEALS, kAllSeals) < 0) {
    return sys_fail(errno, "fcntl(F_ADD_SEALS)");
  }
  ::syscall(SYS_execveat, copy.get(), "", argv, environ, AT_EMPTY_PATH);
  return sys_fail(errno, "execveat(sealed copy of /proc/self/exe)");
}

}  // namespace berth::launch
