#include "cgroup/processes.hpp"

#include <berth/sys/file.hpp>

#include <fcntl.h>

#include <cerrno>
#include <charconv>

#include "cgroup/directory.hpp"
#include "cgroup/layout.hpp"
#include "cgroup/place.hpp"

namespace berth::cgroup {
namespace {

constexpr std::size_t kProcsLimit = 64UL * 1024 * 1024;  // PID_MAX_LIMIT is 4 million

// Those of the cgroup itself.
Result<std::vector<pid_t>> processes_of(int parent, const std::string& name) {
  Result<std::string> text = sys::read_file(parent, name + "/cgroup.procs", kProcsLimit);
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

}  // namespace

Result<std::vector<pid_t>> processes_below(const std::string& path) {
  std::vector<pid_t> pids;
  const auto add = [&](int parent, const std::string& name) -> Status {
    const std::vector<pid_t> own = TRY(processes_of(parent, name));
    pids.insert(pids.end(), own.begin(), own.end());
    return {};
  };
  TRY(walk_up(path, add));
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
