#include <berth/sys/file.hpp>
#include <berth/sys/process.hpp>

#include <fcntl.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <span>

#include "cgroup/directory.hpp"
#include "cgroup/freezer.hpp"
#include "cgroup/place.hpp"
#include "cgroup/processes.hpp"

namespace berth::cgroup {
namespace {

constexpr std::size_t kBatch = 64;  // descriptors held at once
constexpr int kRounds = 1000;       // a group that forks for ever ends the last round with an error

// The number of a process that has ended may belong to somebody else when the signal is sent. So: take a descriptor,
// then look whether the number still stands in the cgroup; the descriptor is then one of its processes, or of none.
Status signal_batch(const std::string& path, std::span<const pid_t> pids, int signal) {
  std::vector<std::pair<pid_t, sys::Pidfd>> opened;
  for (const pid_t pid : pids) {
    Result<sys::Pidfd> pidfd = sys::Pidfd::open(pid);
    if (pidfd) {
      opened.emplace_back(pid, std::move(*pidfd));
    } else if (!pidfd.error().is(ESRCH)) {
      return std::unexpected(std::move(pidfd).error());
    }
  }
  const std::vector<pid_t> current = TRY(processes_below(path));
  for (const auto& [pid, pidfd] : opened) {
    if (std::ranges::find(current, pid) == current.end()) {
      continue;
    }
    Status sent = pidfd.send_signal(signal);
    if (!sent && !sent.error().is(ESRCH)) {
      return sent;
    }
  }
  return {};
}

// Until a look shows nobody new: in a frozen cgroup that is the second look.
Status signal_each(const std::string& path, int signal) {
  std::set<pid_t> reached;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<pid_t> pids = TRY(processes_below(path));
    std::erase_if(pids, [&](pid_t pid) { return reached.contains(pid); });
    if (pids.empty()) {
      return {};
    }
    for (std::size_t start = 0; start < pids.size(); start += kBatch) {
      const std::span<const pid_t> rest = std::span(pids).subspan(start);
      TRY(signal_batch(path, rest.first(std::min(kBatch, rest.size())), signal));
    }
    reached.insert(pids.begin(), pids.end());
  }
  return fail(ErrorKind::kSystem, "signal the processes of {}: they fork faster than they can be signalled", path);
}

// False where the kernel has no cgroup.kill (before 5.14), or the cgroup is gone.
Result<bool> kill_unified(const std::string& path) {
  Status killed = sys::write_file(AT_FDCWD, path + "/cgroup.kill", "1");
  if (!killed && (is_gone(killed.error()) || killed.error().is(EOPNOTSUPP))) {
    return false;
  }
  TRY(std::move(killed));
  return true;
}

Status signal_while_frozen(const Placement& placement, int signal) {
  const Directory* directory = process_directory(placement);
  const bool was_frozen = processes_frozen(placement).value_or(false);
  // A process that cannot be frozen can be signalled all the same, only not without a race against fork: that is what
  // the rounds of signal_each are for.
  const bool frozen = was_frozen || freeze_processes(placement).has_value();
  Status signalled = signal_each(directory->path, signal);
  if (frozen && (!was_frozen || signal == SIGKILL)) {
    const Status thawed = find_directory(placement, "freezer") != nullptr && signal == SIGKILL
                              ? thaw_legacy_recursively(placement)
                              : thaw_processes(placement);
    if (!thawed && !is_gone(thawed.error()) && signalled) {
      return thawed;
    }
  }
  return signalled;
}

}  // namespace

Status kill_processes(const Placement& placement, int signal) {
  if (process_directory(placement) == nullptr) {
    return {};
  }
  const Directory* unified = find_directory(placement, "");
  if (signal == SIGKILL && unified != nullptr && TRY(kill_unified(unified->path))) {
    return thaw_legacy_recursively(placement);  // the v1 freezer holds even a process that has SIGKILL
  }
  return signal_while_frozen(placement, signal);
}

}  // namespace berth::cgroup
