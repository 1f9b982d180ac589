#include "cgroup/systemd/slices.hpp"

#include <berth/base/log.hpp>
#include <berth/sys/file.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <ranges>
#include <thread>
#include <vector>

#include "cgroup/directory.hpp"
#include "cgroup/place.hpp"
#include "cgroup/systemd/scope.hpp"
#include "cgroup/systemd/unit_name.hpp"

namespace berth::cgroup::systemd {
namespace {

constexpr nlink_t kLinksWithoutChildren = 2;
constexpr std::chrono::seconds kLockBound{3};
constexpr std::chrono::milliseconds kLockPause{2};

// Where systemd's own units begin: the first directory above the scope that is no slice.
std::string manager_directory(const Placement& placement) {
  std::string directory = parent_of(scope_directory(placement));
  while (directory.ends_with(".slice")) {
    directory = parent_of(directory);
  }
  return directory;
}

// Whether it bears our mark and holds nothing; an error only where nobody can say.
Result<bool> is_unused(const std::string& directory) {
  const struct stat status = TRY(sys::stat_at(AT_FDCWD, directory, AT_SYMLINK_NOFOLLOW));
  return (status.st_mode & kMark) != 0 && status.st_nlink <= kLinksWithoutChildren;
}

// "ignore-dependencies": where somebody starts a unit in the slice at this moment, that one lives on, and with it the
// cgroup, which systemd removes only if it is empty. Any other mode stops what is in the slice too.
bool stop_slice(Bus& bus, const std::string& directory) {
  const std::string slice = unit_name(directory.substr(directory.rfind('/') + 1));
  const auto file = bus.property(unit_object(slice), "FragmentPath");
  if (!file || !file->empty()) {
    return false;  // somebody has described it since it was made
  }
  const auto job = bus.run_job(manager_object(), "StopUnit", BusArguments().add(slice).add("ignore-dependencies"));
  if (!job && !is_gone(job.error())) {
    log::debug("stop {}: {}", slice, job.error().error.message());
    return false;
  }
  const Status removed = sys::unlink_at(AT_FDCWD, directory, AT_REMOVEDIR);  // of a slice that was never started
  return removed || removed.error().is(ENOENT);
}

}  // namespace

sys::UniqueFd lock_slices(const Placement& placement, int operation) {
  const std::string path = manager_directory(placement);
  auto opened = sys::open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
  const auto deadline = Clock::now() + kLockBound;
  while (opened) {
    const Status locked = sys::lock_file(opened->get(), operation | LOCK_NB, path);
    if (locked) {
      return std::move(*opened);
    }
    if (!locked.error().is(EWOULDBLOCK) || Clock::now() >= deadline) {
      break;
    }
    std::this_thread::sleep_for(kLockPause);
  }
  return {};
}

CallResult<void> mark_new_slices(Bus& bus, const Placement& placement) {
  std::vector<std::string> new_ones;
  std::string directory = scope_directory(placement);
  for (std::string slice = placement.unit->slice; !slice.empty(); slice = parent_slice(slice)) {
    directory = parent_of(directory);
    const auto state = bus.property(unit_object(slice), "ActiveState");
    if (!state) {
      return std::unexpected(state.error());
    }
    if (*state != "inactive") {
      break;  // and so are all around it
    }
    const auto file = bus.property(unit_object(slice), "FragmentPath");
    if (!file) {
      return std::unexpected(file.error());
    }
    if (file->empty()) {
      new_ones.push_back(directory);
    }
  }
  for (const std::string& made : new_ones | std::views::reverse) {
    if (const Status marked = make_marked(made); !marked) {
      log::debug("the slice will stay: {}", marked.error().message());
    }
  }
  return {};
}

void stop_marked_slices(const Placement& placement) {
  const std::string root = hierarchy_root(placement, placement.directories.front());
  std::optional<Bus> bus;
  sys::UniqueFd lock;
  for (std::string directory = parent_of(scope_directory(placement)); directory.size() > root.size();
       directory = parent_of(directory)) {
    const Result<bool> unused = is_unused(directory);
    if (!unused && unused.error().is(ENOENT)) {
      continue;
    }
    if (!unused || !*unused) {
      return;
    }
    if (!bus) {
      lock = lock_slices(placement, LOCK_EX);
      if (!lock.valid() || !is_unused(directory).value_or(false)) {
        return;  // who starts a unit there at this moment will remove it in its turn
      }
      auto connected = Bus::connect(placement.unit->user);
      if (!connected) {
        return;
      }
      bus = std::move(*connected);
    }
    if (!stop_slice(*bus, directory)) {
      return;
    }
  }
}

}  // namespace berth::cgroup::systemd
