#include "cgroup/processes.hpp"

#include <berth/sys/file.hpp>
#include <berth/sys/filesystem.hpp>

#include <fcntl.h>

#include <cerrno>
#include <charconv>

#include "cgroup/layout.hpp"
#include "cgroup/place.hpp"

namespace berth::cgroup {
namespace {

constexpr std::size_t kProcsLimit = 64UL * 1024 * 1024;  // PID_MAX_LIMIT is 4 million

bool is_gone(const Error& error) {
  return error.is(ENOENT) || error.is(ENODEV);
}

Status collect(const std::string& path, std::vector<pid_t>& pids) {
  std::vector<pid_t> own = TRY(processes_of(path));
  pids.insert(pids.end(), own.begin(), own.end());
  Result<std::vector<std::string>> names = sys::list_subdirectories(path);
  if (!names) {
    return is_gone(names.error()) ? Status() : Status(std::unexpected(std::move(names).error()));
  }
  for (const std::string& name : *names) {
    TRY(collect(path + "/" + name, pids));
  }
  return {};
}

}  // namespace

Result<std::vector<pid_t>> processes_of(const std::string& path) {
  Result<std::string> text = sys::read_file(AT_FDCWD, path + "/cgroup.procs", kProcsLimit);
  if (!text) {
    // EOPNOTSUPP: a threaded cgroup; its processes stand in the list of the domain above it.
    const bool none = is_gone(text.error()) || text.error().is(EOPNOTSUPP);
    return none ? Result<std::vector<pid_t>>() : std::unexpected(std::move(text).error());
  }
  std::vector<pid_t> pids;
  for (const std::string& line : split(*text, '\n')) {
    pid_t pid = 0;
    std::from_chars(line.data(), line.data() + line.size(), pid);
    if (pid > 0) {
      pids.push_back(pid);
    }
  }
  return pids;
}

Result<std::vector<pid_t>> processes_below(const std::string& path) {
  std::vector<pid_t> pids;
  TRY(collect(path, pids));
  return pids;
}

const Directory* process_directory(const Placement& placement) {
  for (const char* controller : {"", "freezer"}) {
    if (const Directory* directory = find_directory(placement, controller)) {
      return directory;
    }
  }
  return placement.directories.empty() ? nullptr : &placement.directories.front();
}

}  // namespace berth::cgroup
