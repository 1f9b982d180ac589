#include <berth/container/mounts.hpp>
#include <berth/launch/change_mounts.hpp>
#include <berth/ns/namespace_set.hpp>
#include <berth/plan/lower.hpp>
#include <berth/spec/parse.hpp>
#include <berth/sys/file.hpp>

#include <fcntl.h>
#include <sched.h>

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

// That of the first process, unless it has gone into another one since, where its own mounts are. Nor must its number
// be another process's meanwhile.
Result<sys::UniqueFd> open_user_namespace(const Target& target, const plan::Namespaces& namespaces) {
  if (!namespaces.has(CLONE_NEWUSER)) {
    return sys::UniqueFd();
  }
  sys::UniqueFd opened = TRY(sys::open_at(AT_FDCWD, fmt::format("/proc/{}/ns/user", target.record.pid), O_RDONLY));
  if (TRY(target.init.has_ended())) {
    return fail(ErrorKind::kState, "container not running");
  }
  if (!TRY(ns::is_user_namespace_of(namespaces.joined, opened.get()))) {
    return fail(ErrorKind::kState,
                "the container's first process is in a user namespace that is neither a child of this command's nor at "
                "the path of the configuration: it may have left the mount namespace that was made for it");
  }
  return opened;
}

}  // namespace

Status add_mounts(const StateStore& store, const std::string& id, std::vector<spec::Mount> mounts) {
  Target target = TRY(open_target(store, id));
  target.config.mounts = std::move(mounts);
  const plan::ContainerPlan plan = TRY(plan::lower_added_mounts(target.config, target.record.bundle));
  return launch::add_mounts(plan,
                            {.init = target.init, .user_namespace = TRY(open_user_namespace(target, plan.namespaces))});
}

Status remove_mounts(const StateStore& store, const std::string& id, std::vector<spec::Mount> mounts) {
  Target target = TRY(open_target(store, id));
  target.config.mounts = std::move(mounts);
  const plan::ContainerPlan plan = TRY(plan::lower_removed_mounts(target.config));
  return launch::remove_mounts(
      plan, {.init = target.init, .user_namespace = TRY(open_user_namespace(target, plan.namespaces))});
}

}  // namespace berth::container
