#include <berth/sys/file.hpp>
#include <berth/sys/filesystem.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <memory>

namespace berth::sys {
namespace {

bool is_directory(const dirent& entry, int parent) {
  if (entry.d_type != DT_UNKNOWN) {
    return entry.d_type == DT_DIR;
  }
  struct stat status {};
  return ::fstatat(parent, entry.d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
}

struct CloseDirectory {
  void operator()(DIR* stream) const { ::closedir(stream); }
};

}  // namespace

Result<long> filesystem_type_at(const std::string& path) {
  struct statfs status {};
  if (::statfs(path.c_str(), &status) < 0) {
    return sys_fail(errno, "statfs({})", path);
  }
  return static_cast<long>(status.f_type);
}

Result<std::vector<std::string>> list_subdirectories(int directory, const std::string& path) {
  UniqueFd opened = TRY(open_at(directory, path, O_RDONLY | O_DIRECTORY));
  const std::unique_ptr<DIR, CloseDirectory> stream(::fdopendir(opened.get()));
  if (!stream) {
    return sys_fail(errno, "fdopendir({})", path);
  }
  static_cast<void>(opened.release());  // the stream closes it
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view name(entry->d_name);
    if (name != "." && name != ".." && is_directory(*entry, ::dirfd(stream.get()))) {
      names.emplace_back(name);
    }
    errno = 0;
  }
  if (errno != 0) {
    return sys_fail(errno, "getdents({})", path);
  }
  return names;
}

Result<bool> wait_changed(int fd, std::chrono::milliseconds timeout, std::string_view name) {
  pollfd request{.fd = fd, .events = POLLPRI, .revents = 0};
  const auto bounded = std::clamp<std::chrono::milliseconds::rep>(timeout.count(), 0, std::numeric_limits<int>::max());
  const int ready = ::poll(&request, 1, static_cast<int>(bounded));
  if (ready < 0 && errno != EINTR) {
    return sys_fail(errno, "poll({})", name);
  }
  return ready != 0;  // an interrupted wait may have missed nothing: the caller reads and decides
}

}  // namespace berth::sys
