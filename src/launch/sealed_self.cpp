#include <berth/launch/sealed_self.hpp>
#include <berth/sys/file.hpp>
#include <berth/sys/mount.hpp>

#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string_view>

namespace berth::launch {
namespace {

constexpr int kAllSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
constexpr const char* kSelf = "/proc/self/exe";

// Returns only on failure.
std::unexpected<Error> execute(int file, char* const* argv, std::string_view name) {
  ::syscall(SYS_execveat, file, "", argv, environ, AT_EMPTY_PATH);
  return sys_fail(errno, "execveat({})", name);
}

Result<sys::UniqueFd> make_sealed_copy(int self) {
  const struct stat status = TRY(sys::stat_fd(self, kSelf));
  sys::UniqueFd copy = TRY(sys::memory_file("berth", true));
  off_t offset = 0;
  while (offset < status.st_size) {
    const ssize_t sent = ::sendfile(copy.get(), self, &offset, static_cast<std::size_t>(status.st_size - offset));
    if (sent < 0) {
      return sys_fail(errno, "sendfile({})", kSelf);
    }
    if (sent == 0) {
      return fail(ErrorKind::kSystem, "copy {}: it ended at byte {} of {}", kSelf, offset, status.st_size);
    }
  }
  TRY(sys::seal_memory_file(copy.get()));
  return copy;
}

// Whether a mount that cannot be copied is the one below: execveat(2) has named the program by its descriptor then, and
// the mount is read-only and in no mount namespace (EINVAL).
bool is_sealed_mount(int self, const Error& refusal) {
  const auto* name = reinterpret_cast<const char*>(static_cast<std::uintptr_t>(::getauxval(AT_EXECFN)));
  struct statvfs mount {};
  return refusal.is(EINVAL) && name != nullptr && std::string_view(name).starts_with("/dev/fd/") &&
         ::fstatvfs(self, &mount) == 0 && (mount.f_flag & ST_RDONLY) != 0;
}

}  // namespace

Status ensure_sealed_self(char* const* argv) {
  const sys::UniqueFd self = TRY(sys::open_at(AT_FDCWD, kSelf, O_RDONLY));
  // Only a memory file has seals; any other file answers EINVAL.
  if (::fcntl(self.get(), F_GET_SEALS) == kAllSeals) {
    return {};
  }
  // A mount of this one file, read-only and in no mount namespace: nobody can write through it, and once its descriptor
  // is closed, by the exec, mount_setattr(2) and open_tree(2) refuse it to everybody. It costs nothing, while a copy
  // is megabytes to write and its pages to map anew.
  auto mount = sys::open_tree(self.get(), "", OPEN_TREE_CLONE, kSelf);
  if (mount) {
    mount_attr readonly{};
    readonly.attr_set = MOUNT_ATTR_RDONLY;
    TRY(sys::mount_set_attributes(mount->get(), readonly, false, kSelf));
    return execute(mount->get(), argv, "read-only mount of /proc/self/exe");
  }
  if (is_sealed_mount(self.get(), mount.error())) {
    return {};
  }
  // EPERM: mounts are for the privileged. EINVAL: the program is from a mount namespace that was left.
  const sys::UniqueFd copy = TRY(make_sealed_copy(self.get()));
  return execute(copy.get(), argv, "sealed copy of /proc/self/exe");
}

}  // namespace berth::launch
