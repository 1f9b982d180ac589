#include "cgroup/systemd/slices.hpp"

#include <berth/base/log.hpp>
#include <berth/sys/file.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <optional>
#include <ranges>
#include <vector>

#include "cgroup/directory.hpp"
#include "cgroup/place.hpp"
#include "cgroup/systemd/scope.hpp"
#include "cgroup/systemd/unit_name.hpp"

namespace berth::cgroup::systemd {
namespace {

constexpr nlink_t kLinksWithoutChildren = 2;

// "ignore-dependencies": where somebody starts a unit in the slice at this moment, that one lives on, and with it the
// cgroup, which systemd removes only if it is empty. Any other mode stops what is in the slice too.
bool stop_slice(Bus& bus, const std::string& directory) {
  const std::string slice = unit_name(directory.substr(directory.rfind('/') + 1));
  const auto job = bus.run_job(manager_object(), "StopUnit", BusArguments().add(slice).add("ignore-dependencies"));
  if (!job && !is_gone(job.error())) {
    log::debug("stop {}: {}", slice, job.error().error.message());
    return false;
  }
  const Status removed = sys::unlink_at(AT_FDCWD, directory, AT_REMOVEDIR);  // of a slice that was never started
  return removed || removed.error().is(ENOENT);
}

}  // namespace

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
  for (std::string directory = parent_of(scope_directory(placement)); directory.size() > root.size();
       directory = parent_of(directory)) {
    const Result<struct stat> status = sys::stat_at(AT_FDCWD, directory, AT_SYMLINK_NOFOLLOW);
    if (!status && status.error().is(ENOENT)) {
      continue;
    }
    if (!status || (status->st_mode & kMark) == 0 || status->st_nlink > kLinksWithoutChildren) {
      return;
    }
    if (!bus) {
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
