#include <berth/container/mounts.hpp>
#include <berth/launch/change_mounts.hpp>
#include <berth/plan/lower.hpp>
#include <berth/spec/parse.hpp>
#include <berth/sys/file.hpp>

#include <fcntl.h>
#include <sched.h>

#include <algorithm>
#include <utility>

#include "container/observation.hpp"

namespace berth::container {
namespace {

struct Target {
  spec::Record record;
  spec::Config config;
  sys::Pidfd init;
};

// The lock is not kept: nothing that the container can delay must keep other commands, `delete` above all, from it.
Result<Target> open_target(const StateStore& store, const std::string& id) {
  const ContainerDirectory directory = TRY(store.lock(id, LockKind::kShared));
  auto record = TRY(directory.load());
  Observation observation = TRY(observe(directory, record));
  if (observation.status == spec::ContainerStatus::kPaused) {
    Error error(ErrorKind::kState, "cannot change the mounts of a paused container");
    return std::unexpected(std::move(error.add_hint("resume it first")));
  }
  if (!observation.process) {
    return fail(ErrorKind::kState, "container not running");
  }
  const std::string config = TRY(directory.load_config());
  return Target{std::move(*record), TRY_CONTEXT(spec::parse_config(config), "configuration of the container"),
                std::move(*observation.process)};
}

// Of the first process, which must not have become another one's number meanwhile.
Result<sys::UniqueFd> open_user_namespace(const Target& target) {
  sys::UniqueFd opened = TRY(sys::open_at(AT_FDCWD, fmt::format("/proc/{}/ns/user", target.record.pid), O_RDONLY));
  if (TRY(target.init.has_ended())) {
    return fail(ErrorKind::kState, "container not running");
  }
  return opened;
}

bool needs_maps_of_container(const plan::Mount& mount) {
  return mount.idmapped && mount.uid_mappings.empty();
}

}  // namespace

Status add_mounts(const StateStore& store, const std::string& id, std::vector<spec::Mount> mounts) {
  Target target = TRY(open_target(store, id));
  target.config.mounts = std::move(mounts);
  const plan::ContainerPlan plan = TRY(plan::lower_added_mounts(target.config, target.record.bundle));
  launch::RunningContainer container{.init = target.init, .user_namespace = {}};
  if (std::ranges::any_of(plan.rootfs.mounts, needs_maps_of_container)) {
    container.user_namespace = TRY(open_user_namespace(target));
  }
  return launch::add_mounts(plan, container);
}

Status remove_mounts(const StateStore& store, const std::string& id, std::vector<spec::Mount> mounts) {
  Target target = TRY(open_target(store, id));
  target.config.mounts = std::move(mounts);
  const plan::ContainerPlan plan = TRY(plan::lower_removed_mounts(target.config));
  return launch::remove_mounts(plan, {.init = target.init, .user_namespace = {}});
}

}  // namespace berth::container
