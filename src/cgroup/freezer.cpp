#include "cgroup/freezer.hpp"

#include <berth/sys/file.hpp>
#include <berth/sys/filesystem.hpp>

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "cgroup/directory.hpp"
#include "cgroup/place.hpp"

namespace berth::cgroup {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr milliseconds kBound{5000};  // a process in uninterruptible sleep may never freeze
constexpr std::size_t kSmallFile = 4096;

std::unexpected<Error> not_thawed(const std::string& path) {
  Error error(ErrorKind::kSystem, fmt::format("thaw {}: it is still frozen", path));
  error.add_hint("a cgroup above it is frozen, or its processes get no time to run");
  return std::unexpected(std::move(error));
}

std::unexpected<Error> not_frozen(const std::string& path) {
  Error error(ErrorKind::kSystem,
              fmt::format("freeze {}: not every process stopped within {} ms", path, kBound.count()));
  error.add_hint("a process in uninterruptible sleep, or one that another freezes or traces, holds it up");
  return std::unexpected(std::move(error));
}

Status set_legacy_state(const std::string& path, const char* state, int parent = AT_FDCWD) {
  return sys::write_file(parent, path + "/freezer.state", state);
}

// Whether the file holds the words; a cgroup that is gone (a delete beside this query took it away) freezes nobody.
Result<bool> says(const std::string& file, std::string_view words) {
  const auto text = sys::read_record(AT_FDCWD, file, kSmallFile);
  if (!text) {
    return is_gone(text.error()) ? Result<bool>(false) : std::unexpected(text.error());
  }
  return text->find(words) != std::string::npos;
}

Result<bool> legacy_frozen(const std::string& path) {
  return says(path + "/freezer.state", "FROZEN");
}

// Processes that fork while they freeze leave the state at FREEZING until somebody looks again; a short thaw now and
// then lets a group that keeps forking settle (Documentation/admin-guide/cgroup-v1/freezer-subsystem.rst).
Status freeze_legacy(const std::string& path) {
  constexpr int kThawEach = 16;
  const auto deadline = Clock::now() + kBound;
  microseconds pause{20};
  for (int attempt = 1;; ++attempt) {
    TRY(set_legacy_state(path, "FROZEN"));
    if (TRY(legacy_frozen(path))) {
      return {};
    }
    if (Clock::now() >= deadline) {
      return not_frozen(path);
    }
    if (attempt % kThawEach == 0) {
      TRY(set_legacy_state(path, "THAWED"));
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, microseconds(10000));
  }
}

// Writes cgroup.freeze and waits until the processes have done as it says; false if they have not within the bound.
Result<bool> set_unified_state(const std::string& path, bool frozen) {
  const auto deadline = Clock::now() + kBound;
  const std::string file = path + "/cgroup.events";
  TRY(sys::write_file(AT_FDCWD, path + "/cgroup.freeze", frozen ? "1" : "0"));
  for (;;) {
    // kernfs reports changes since the file was read through this open.
    const sys::UniqueFd events = TRY(sys::open_at(AT_FDCWD, file, O_RDONLY));
    const std::string text = TRY(sys::read_all(events.get(), kSmallFile, file));
    if (text.find(frozen ? "frozen 1" : "frozen 0") != std::string::npos) {
      return true;
    }
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) {
      return false;
    }
    TRY(sys::wait_changed(events.get(), left, file));
  }
}

Status freeze_unified(const std::string& path) {
  return TRY(set_unified_state(path, true)) ? Status() : not_frozen(path);
}

std::unexpected<Error> no_freezer() {
  Error error(ErrorKind::kState, "there is no cgroup to freeze");
  error.add_hint(
      "the container was made with --cgroup-manager disabled, or the host has neither the v1 freezer nor cgroup2");
  return std::unexpected(std::move(error));
}

}  // namespace

Status freeze_processes(const Placement& placement) {
  const Directory* legacy = find_directory(placement, "freezer");
  const Directory* unified = find_directory(placement, "");
  if (legacy == nullptr && unified == nullptr) {
    return no_freezer();
  }
  Status frozen = legacy != nullptr ? freeze_legacy(legacy->path) : freeze_unified(unified->path);
  if (!frozen) {
    static_cast<void>(thaw_processes(placement));  // the first error counts
  }
  return frozen;
}

Status thaw_processes(const Placement& placement) {
  if (const Directory* legacy = find_directory(placement, "freezer")) {
    TRY(set_legacy_state(legacy->path, "THAWED"));
    return TRY(processes_frozen(placement)) ? not_thawed(legacy->path) : Status();
  }
  if (const Directory* unified = find_directory(placement, "")) {
    const Result<bool> thawed = set_unified_state(unified->path, false);
    const bool gone = !thawed && is_gone(thawed.error());  // with the last process, which was killed meanwhile
    return gone || TRY(thawed) ? Status() : not_thawed(unified->path);
  }
  return {};
}

Status thaw_legacy_recursively(const Placement& placement) {
  const Directory* legacy = find_directory(placement, "freezer");
  if (legacy == nullptr) {
    return {};
  }
  // Children first: a thawed parent of a frozen child is not a state that could hide one.
  return walk_up(legacy->path, [](int parent, const std::string& name) {
    Status thawed = set_legacy_state(name, "THAWED", parent);
    return !thawed && is_gone(thawed.error()) ? Status() : thawed;  // gone with all that was in it
  });
}

Result<bool> processes_frozen(const Placement& placement) {
  FrozenAbove above;
  return processes_frozen(placement, above);
}

Result<bool> processes_frozen(const Placement& placement, FrozenAbove& above) {
  if (const Directory* legacy = find_directory(placement, "freezer")) {
    return says(legacy->path + "/freezer.state", "FR");  // FROZEN, FREEZING
  }
  // Not cgroup.events: that tells of the processes, and only when all of them have stopped.
  if (const Directory* unified = find_directory(placement, "")) {
    return TRY(says(unified->path + "/cgroup.freeze", "1")) || TRY(above.includes(parent_of(unified->path)));
  }
  return false;
}

Result<bool> FrozenAbove::includes(const std::string& directory) {
  const std::scoped_lock lock(mutex_);
  if (const auto found = known_.find(directory); found != known_.end()) {
    return found->second;
  }
  bool frozen = false;
  for (std::string path = directory; !frozen; path = parent_of(path)) {
    const auto text = sys::read_record(AT_FDCWD, path + "/cgroup.freeze", kSmallFile);
    if (!text) {
      if (is_gone(text.error())) {
        break;  // the root of the hierarchy has no such file, nor has what is above it
      }
      return std::unexpected(text.error());
    }
    frozen = text->starts_with('1');
  }
  known_.emplace(directory, frozen);
  return frozen;
}

Status refuse_frozen(const Placement& placement) {
  const Directory* legacy = find_directory(placement, "freezer");
  const Directory* directory = legacy != nullptr ? legacy : find_directory(placement, "");
  if (directory == nullptr || !TRY(legacy != nullptr ? says(legacy->path + "/freezer.state", "FR")
                                                     : says(directory->path + "/cgroup.events", "frozen 1"))) {
    return {};
  }
  const std::string root = hierarchy_root(placement, *directory);
  std::string frozen = directory->path;
  while (frozen.size() > root.size() &&
         !TRY(says(frozen + (legacy != nullptr ? "/freezer.self_freezing" : "/cgroup.freeze"), "1"))) {
    frozen = parent_of(frozen);
  }
  return fail(ErrorKind::kExists, "cgroup {} is frozen: nothing could run in {}", frozen,
              frozen == directory->path ? "it" : directory->path);
}

}  // namespace berth::cgroup
