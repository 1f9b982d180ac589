#include <berth/sys/file.hpp>
#include <berth/sys/filesystem.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "cgroup/directory.hpp"
#include "cgroup/processes.hpp"

namespace berth::cgroup {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr microseconds kFirstPause{250};
constexpr microseconds kLongestPause{32000};

std::unexpected<Error> still_in_use(const std::string& path) {
  const Result<std::vector<pid_t>> pids = processes_below(path);
  const bool known = pids && !pids->empty();
  return fail(ErrorKind::kSystem, "remove cgroup {}: it is still in use{}{}", path, known ? " by process " : "",
              known ? fmt::format("{}", fmt::join(*pids, ", ")) : "");
}

// One attempt. False if something is in the way, which may be a process that ends soon.
Result<bool> remove_all(const std::string& path) {
  bool removed_all = true;
  const auto remove = [&](int parent, const std::string& name) {
    Status removed = sys::unlink_at(parent, name, AT_REMOVEDIR);
    const bool busy = !removed && removed.error().is(EBUSY);
    removed_all = removed_all && !busy;
    return busy || (!removed && removed.error().is(ENOENT)) ? Status() : removed;
  };
  TRY(walk_up(path, remove));
  return removed_all;
}

// cgroup.events tells when the last process has gone. True if there is none now, and it is something else that is busy.
Result<bool> wait_until_unpopulated(const std::string& path, Clock::time_point deadline) {
  const std::string file = path + "/cgroup.events";
  Result<sys::UniqueFd> events = sys::open_at(AT_FDCWD, file, O_RDONLY);
  if (!events) {
    return is_gone(events.error()) ? Result<bool>(true) : std::unexpected(std::move(events).error());
  }
  Result<std::string> text = sys::read_all(events->get(), 4096, file);
  if (!text) {
    return is_gone(text.error()) ? Result<bool>(true) : std::unexpected(std::move(text).error());
  }
  if (text->find("populated 1") == std::string::npos) {
    return true;
  }
  const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
  TRY(sys::wait_changed(events->get(), left, file));
  return false;
}

}  // namespace

Status remove_cgroup(const std::string& path, bool unified, Clock::time_point deadline) {
  microseconds pause = kFirstPause;
  Status removed = sys::unlink_at(AT_FDCWD, path, AT_REMOVEDIR);  // of most that is all
  if (removed || removed.error().is(ENOENT)) {
    return {};
  }
  if (!removed.error().is(EBUSY)) {
    return removed;
  }
  while (!TRY(remove_all(path))) {
    if (Clock::now() >= deadline) {
      return still_in_use(path);
    }
    if (!unified || TRY(wait_until_unpopulated(path, deadline))) {
      std::this_thread::sleep_for(pause);
      pause = std::min(pause * 2, kLongestPause);
    }
  }
  return {};
}

void remove_marked_parents(const std::string& root, const std::string& path) {
  for (std::string parent = parent_of(path); parent.size() > root.size(); parent = parent_of(parent)) {
    const Result<struct stat> status = sys::stat_at(AT_FDCWD, parent, AT_SYMLINK_NOFOLLOW);
    if (!status && status.error().is(ENOENT)) {
      continue;
    }
    if (!status || (status->st_mode & kMark) == 0) {
      return;
    }
    // Made by us, and by now a slice that systemd runs.
    if (parent.ends_with(".slice") && (sys::has_attribute(parent, "user.invocation_id").value_or(false) ||
                                       sys::has_attribute(parent, "trusted.invocation_id").value_or(false))) {
      return;
    }
    const Status removed = sys::unlink_at(AT_FDCWD, parent, AT_REMOVEDIR);
    // EBUSY: others are in it and will remove it. Any other error leaves an empty directory that harms nobody, and the
    // container itself is gone, which is what the caller asked for.
    if (!removed && !removed.error().is(ENOENT)) {
      return;
    }
  }
}

}  // namespace berth::cgroup
