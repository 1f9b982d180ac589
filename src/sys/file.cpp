#include <berth/sys/file.hpp>

#include <dirent.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace berth::sys {
namespace {

// A rename or mount that races with the walk makes openat2 answer EAGAIN; whoever races for ever gets an error.
constexpr int kOpenRetries = 128;

template <class Call>
auto retry_interrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) {
    result = call();
  }
  return result;
}

}  // namespace

Result<UniqueFd> open_at(int directory, const std::string& path, int flags, mode_t mode) {
  const int fd = retry_interrupted([&] { return ::openat(directory, path.c_str(), flags | O_CLOEXEC, mode); });
  if (fd < 0) {
    return sys_fail(errno, "open({})", path);
  }
  return UniqueFd(fd);
}

Result<UniqueFd> open_at2(int directory, const std::string& path, const open_how& how, std::string_view name) {
  open_how request = how;
  request.flags |= O_CLOEXEC;
  long fd = -1;
  for (int attempt = 0; attempt < kOpenRetries; ++attempt) {
    fd = ::syscall(SYS_openat2, directory, path.c_str(), &request, sizeof request);
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) {
      break;
    }
  }
  if (fd < 0) {
    const int errnum = errno;
    Error error = Error::system(errnum, fmt::format("openat2({})", name));
    if (errnum == ENOSYS) {
      error.add_hint("openat2 needs Linux 5.6, or a seccomp filter around this process forbids it");
    }
    return std::unexpected(std::move(error));
  }
  return UniqueFd(static_cast<int>(fd));
}

namespace {

constexpr std::size_t kFirstRead = std::size_t{16} * 1024;

// `data` is what was read already.
Result<std::string> read_on(int fd, std::string data, std::size_t limit, std::string_view name) {
  std::size_t filled = data.size();
  for (;;) {
    if (filled == data.size()) {
      if (data.size() > limit) {
        return sys_fail(EFBIG, "read({}): more than {} bytes", name, limit);
      }
      data.resize(data.empty() ? kFirstRead : data.size() * 2);
    }
    const ssize_t count = retry_interrupted([&] { return ::read(fd, data.data() + filled, data.size() - filled); });
    if (count < 0) {
      return sys_fail(errno, "read({})", name);
    }
    if (count == 0) {
      break;
    }
    filled += static_cast<std::size_t>(count);
  }
  if (filled > limit) {
    return sys_fail(EFBIG, "read({}): more than {} bytes", name, limit);
  }
  data.resize(filled);
  return data;
}

}  // namespace

Result<std::string> read_all(int fd, std::size_t limit, std::string_view name) {
  return read_on(fd, {}, limit, name);
}

Result<std::string> read_record(int directory, const std::string& path, std::size_t limit, std::uint64_t resolve) {
  const UniqueFd fd = resolve == 0
                          ? TRY(open_at(directory, path, O_RDONLY))
                          : TRY(open_at2(directory, path, {.flags = O_RDONLY, .mode = 0, .resolve = resolve}, path));
  const std::size_t wanted = std::min(limit + 1, kFirstRead);
  ssize_t count = 0;
  std::string data;
  data.resize_and_overwrite(wanted, [&](char* buffer, std::size_t size) {
    count = retry_interrupted([&] { return ::read(fd.get(), buffer, size); });
    return count < 0 ? 0 : static_cast<std::size_t>(count);
  });
  if (count < 0) {
    return sys_fail(errno, "read({})", path);
  }
  return data.size() == wanted ? read_on(fd.get(), std::move(data), limit, path) : Result<std::string>(std::move(data));
}

Result<std::string> read_file(int directory, const std::string& path, std::size_t limit) {
  const UniqueFd fd = TRY(open_at(directory, path, O_RDONLY));
  return read_all(fd.get(), limit, path);
}

Status read_at(int fd, std::span<std::byte> buffer, off_t offset, std::string_view name) {
  const ssize_t count = retry_interrupted([&] { return ::pread(fd, buffer.data(), buffer.size(), offset); });
  if (count < 0) {
    return sys_fail(errno, "pread({})", name);
  }
  if (static_cast<std::size_t>(count) != buffer.size()) {
    return sys_fail(EIO, "pread({}): {} bytes of {}", name, count, buffer.size());
  }
  return {};
}

Status write_at(int fd, std::string_view data, off_t offset, std::string_view name) {
  const ssize_t count = retry_interrupted([&] { return ::pwrite(fd, data.data(), data.size(), offset); });
  if (count < 0) {
    return sys_fail(errno, "pwrite({})", name);
  }
  if (static_cast<std::size_t>(count) != data.size()) {
    return sys_fail(EIO, "pwrite({}): {} bytes of {}", name, count, data.size());
  }
  return {};
}

Status write_all(int fd, std::string_view data, std::string_view name) {
  while (!data.empty()) {
    const ssize_t count = retry_interrupted([&] { return ::write(fd, data.data(), data.size()); });
    if (count < 0) {
      return sys_fail(errno, "write({})", name);
    }
    data.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Status write_once(int fd, std::string_view data, std::string_view name) {
  const ssize_t count = retry_interrupted([&] { return ::write(fd, data.data(), data.size()); });
  if (count < 0) {
    return sys_fail(errno, "write \"{}\" to {}", one_line(data), name);
  }
  if (static_cast<std::size_t>(count) != data.size()) {
    return sys_fail(EIO, "write \"{}\" to {}: only {} bytes were taken", one_line(data), name, count);
  }
  return {};
}

Status write_file(int directory, const std::string& path, std::string_view data, int flags) {
  const UniqueFd fd = TRY(open_at(directory, path, O_WRONLY | flags, 0600));
  return write_once(fd.get(), data, path);
}

Result<struct stat> stat_fd(int fd, std::string_view name) {
  struct stat status {};
  if (::fstat(fd, &status) < 0) {
    return sys_fail(errno, "fstat({})", name);
  }
  return status;
}

Result<struct stat> stat_at(int directory, const std::string& path, int flags) {
  struct stat status {};
  if (::fstatat(directory, path.c_str(), &status, flags) < 0) {
    return sys_fail(errno, "fstatat({})", path);
  }
  return status;
}

Result<long> filesystem_type(int fd, std::string_view name) {
  struct statfs status {};
  if (::fstatfs(fd, &status) < 0) {
    return sys_fail(errno, "fstatfs({})", name);
  }
  return static_cast<long>(status.f_type);
}

Status make_directory(int directory, const std::string& path, mode_t mode) {
  if (::mkdirat(directory, path.c_str(), mode) < 0) {
    return sys_fail(errno, "mkdir({})", path);
  }
  return {};
}

Status unlink_at(int directory, const std::string& path, int flags) {
  if (::unlinkat(directory, path.c_str(), flags) < 0) {
    return sys_fail(errno, "{}({})", (flags & AT_REMOVEDIR) != 0 ? "rmdir" : "unlink", path);
  }
  return {};
}

Status rename_at(int directory, const std::string& from, const std::string& to) {
  if (::renameat(directory, from.c_str(), directory, to.c_str()) < 0) {
    return sys_fail(errno, "rename({}, {})", from, to);
  }
  return {};
}

Status symlink_at(const std::string& target, int directory, const std::string& path) {
  if (::symlinkat(target.c_str(), directory, path.c_str()) < 0) {
    return sys_fail(errno, "symlink({} -> {})", path, target);
  }
  return {};
}

Status make_node(int directory, const std::string& path, mode_t mode, dev_t device) {
  if (::mknodat(directory, path.c_str(), mode, device) < 0) {
    return sys_fail(errno, "mknod({})", path);
  }
  return {};
}

Result<std::string> read_link(int directory, const std::string& path) {
  std::array<char, 4096> buffer;
  const ssize_t length = ::readlinkat(directory, path.c_str(), buffer.data(), buffer.size());
  if (length < 0) {
    return sys_fail(errno, "readlink({})", path);
  }
  if (static_cast<std::size_t>(length) == buffer.size()) {
    return sys_fail(ENAMETOOLONG, "readlink({})", path);
  }
  return std::string(buffer.data(), static_cast<std::size_t>(length));
}

Status change_owner(int fd, uid_t uid, gid_t gid, std::string_view name) {
  if (::fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0) {
    return sys_fail(errno, "chown({}, {}, {})", name, uid, gid);
  }
  return {};
}

Status change_mode(int fd, mode_t mode, std::string_view name) {
  if (::fchmod(fd, mode) < 0) {
    return sys_fail(errno, "chmod({}, {:04o})", name, mode);
  }
  return {};
}

Status change_times(int fd, const timespec& accessed, const timespec& modified, std::string_view name) {
  const std::array<timespec, 2> times{accessed, modified};
  if (::utimensat(fd, "", times.data(), AT_EMPTY_PATH) < 0) {
    return sys_fail(errno, "utimensat({})", name);
  }
  return {};
}

Status set_attribute(int fd, const char* attribute, std::string_view value, std::string_view name) {
  if (::fsetxattr(fd, attribute, value.data(), value.size(), 0) < 0) {
    return sys_fail(errno, "setxattr({}, {}, {})", name, attribute, one_line(value));
  }
  return {};
}

Result<bool> has_attribute(const std::string& path, const char* attribute) {
  if (::lgetxattr(path.c_str(), attribute, nullptr, 0) >= 0) {
    return true;
  }
  return errno == ENODATA ? Result<bool>(false) : sys_fail(errno, "getxattr({}, {})", path, attribute);
}

Status copy_data(int from, int to, std::string_view name) {
  constexpr std::size_t kPart = std::size_t{1} << 30U;
  for (;;) {
    const ssize_t count = retry_interrupted([&] { return ::sendfile(to, from, nullptr, kPart); });
    if (count < 0) {
      return sys_fail(errno, "sendfile({})", name);
    }
    if (count == 0) {
      return {};
    }
  }
}

Result<std::vector<std::string>> list_directory(int fd, std::string_view name) {
  UniqueFd copy = TRY(duplicate(fd));
  DIR* stream = ::fdopendir(copy.get());
  if (stream == nullptr) {
    return sys_fail(errno, "fdopendir({})", name);
  }
  [[maybe_unused]] const int owned_by_stream = copy.release();
  ::rewinddir(stream);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream)) {
    const std::string_view entry_name = entry->d_name;
    if (entry_name != "." && entry_name != "..") {
      names.emplace_back(entry_name);
    }
    errno = 0;
  }
  const int read_error = errno;
  ::closedir(stream);
  if (read_error != 0) {
    return sys_fail(read_error, "readdir({})", name);
  }
  return names;
}

FileModeMask::FileModeMask(mode_t mask) : before_(::umask(mask)) {}

FileModeMask::~FileModeMask() {
  ::umask(before_);
}

Status lock_file(int fd, int operation, std::string_view name) {
  if (retry_interrupted([&] { return ::flock(fd, operation); }) < 0) {
    return sys_fail(errno, "flock({})", name);
  }
  return {};
}

Status occupy_standard_descriptors() {
  std::array<pollfd, 3> standard{};
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    standard.at(static_cast<std::size_t>(fd)).fd = fd;
  }
  if (retry_interrupted([&] { return ::poll(standard.data(), standard.size(), 0); }) < 0) {
    return sys_fail(errno, "poll(stdin, stdout, stderr)");
  }
  for (const pollfd& entry : standard) {
    // In order, so that each gets its own number, the lowest that is free.
    if ((entry.revents & POLLNVAL) != 0 && ::open("/dev/null", O_RDWR) != entry.fd) {
      return sys_fail(errno, "open(/dev/null) as descriptor {}", entry.fd);
    }
  }
  return {};
}

Status duplicate_to(int fd, int target, int flags) {
  if (retry_interrupted([&] { return ::dup3(fd, target, flags); }) < 0) {
    return sys_fail(errno, "dup3({}, {})", fd, target);
  }
  return {};
}

Result<UniqueFd> duplicate(int fd, int minimum) {
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, minimum);
  if (copy < 0) {
    return sys_fail(errno, "fcntl({}, F_DUPFD_CLOEXEC)", fd);
  }
  return UniqueFd(copy);
}

Status set_close_on_exec(int fd, bool on) {
  if (::fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) < 0) {
    return sys_fail(errno, "fcntl({}, F_SETFD)", fd);
  }
  return {};
}

Status set_nonblocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
    return sys_fail(errno, "fcntl({}, F_SETFL, O_NONBLOCK)", fd);
  }
  return {};
}

Status close_fds(unsigned first, unsigned last) {
  if (first <= last && ::syscall(SYS_close_range, first, last, 0) < 0) {
    return sys_fail(errno, "close_range({}, {})", first, last);
  }
  return {};
}

Status close_fds_except(unsigned first, std::vector<int> kept) {
  std::ranges::sort(kept);
  for (const int fd : kept) {
    if (fd < 0 || static_cast<unsigned>(fd) < first) {
      continue;
    }
    const auto number = static_cast<unsigned>(fd);
    TRY(number > first ? close_fds(first, number - 1) : Status());
    first = number + 1;
  }
  return close_fds(first, ~0U);
}

Status close_fds_on_exec(unsigned first) {
  if (::syscall(SYS_close_range, first, ~0U, CLOSE_RANGE_CLOEXEC) < 0) {
    return sys_fail(errno, "close_range({}, ~0, CLOSE_RANGE_CLOEXEC)", first);
  }
  return {};
}

Result<UniqueFd> memory_file(const char* name, bool executable) {
  // Values of linux/memfd.h since 6.3; older kernels refuse them with EINVAL and make every memory file executable.
  constexpr unsigned kMfdNoExecSeal = 0x0008U;
  constexpr unsigned kMfdExec = 0x0010U;
  const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  int fd = ::memfd_create(name, executable ? flags | kMfdExec : flags);
  if (fd < 0 && errno == EINVAL && executable) {
    fd = ::memfd_create(name, flags);
  } else if (fd < 0 && errno == EACCES && !executable) {
    // The sysctl vm.memfd_noexec is 2: only files that say that they are not executable.
    fd = ::memfd_create(name, flags | kMfdNoExecSeal);
  }
  if (fd < 0) {
    return sys_fail(errno, "memfd_create({})", name);
  }
  return UniqueFd(fd);
}

Status seal_memory_file(int fd) {
  if (::fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
    return sys_fail(errno, "fcntl({}, F_ADD_SEALS)", fd);
  }
  return {};
}

}  // namespace berth::sys
