#include <berth/plan/lower.hpp>

#include <sched.h>

#include <algorithm>

#include "plan/clean_path.hpp"
#include "plan/lowering.hpp"

namespace berth::plan {
namespace {

using spec::Problems;
using spec::quoted;

const spec::Linux kNoLinux;
const std::string kNoBundle;

const spec::Linux& linux_of(const spec::Config& config) {
  return config.linux ? *config.linux : kNoLinux;
}

// What a process that is not in the container's pid namespace nor its cgroup cannot mount for it, what cannot be taken
// back, and what would depend on a directory that the container changes meanwhile.
void check_added(Problems& problems, const spec::Mount& entry, const Mount& mount) {
  if (mount.kind == MountKind::kRemount) {
    problems.add(mount.pointer + "/options", "\"remount\"", "a new mount");
  }
  if (mount.kind == MountKind::kCgroup || mount.type == "proc") {
    problems.add(mount.pointer + "/type", quoted(entry.type),
                 "a type that does not depend on the process that mounts it; only create mounts this one");
  }
  if (mount.copy_symlink) {
    problems.add(mount.pointer + "/options", "\"copy-symlink\"", "a mount: this may make a link");
  }
  if (mount.copy_up) {
    problems.add(mount.pointer + "/options", "\"tmpcopyup\"",
                 "an empty tmpfs: the container runs, what is below it changes");
  }
}

bool lists(const std::vector<std::string>& paths, const std::string& path) {
  return std::ranges::any_of(paths, [&path](const std::string& listed) { return clean_path(listed) == path; });
}

void check_removed(Lowering& lowering, const Mount& mount) {
  const auto expect = [&](std::string_view what) {
    lowering.problems.add(mount.pointer + "/destination", quoted(mount.destination), what);
  };
  if (mount.destination == "/") {
    expect("a path below /");
  }
  if (lists(lowering.linux.masked_paths, mount.destination) ||
      lists(lowering.linux.readonly_paths, mount.destination)) {
    expect("a mount that is not there to protect the path");
  }
  if (std::ranges::find(lowering.plan.rootfs.mounts, mount.destination, &Mount::destination) !=
      lowering.plan.rootfs.mounts.end()) {
    expect("each destination once");
  }
}

}  // namespace

Result<ContainerPlan> lower_added_mounts(const spec::Config& config, const std::string& bundle) {
  const HostFacts facts;
  Problems problems;
  ContainerPlan plan;
  Lowering lowering{config, linux_of(config), bundle, facts, problems, plan};
  lower_namespaces(lowering);
  lower_mounts(lowering);
  for (std::size_t index = 0; index < config.mounts.size(); ++index) {
    check_added(problems, config.mounts[index], plan.rootfs.mounts[index]);
  }
  if (!problems.empty()) {
    return std::unexpected(problems.error());
  }
  return plan;
}

Result<ContainerPlan> lower_removed_mounts(const spec::Config& config) {
  const HostFacts facts;
  Problems problems;
  ContainerPlan plan;
  Lowering lowering{config, linux_of(config), kNoBundle, facts, problems, plan};
  lower_namespaces(lowering);
  if (!plan.namespaces.has(CLONE_NEWNS)) {
    problems.add("/mounts", "a change of mounts", "a mount namespace in /linux/namespaces");
  }
  plan.rootfs.masked_paths = lowering.linux.masked_paths;
  plan.rootfs.readonly_paths = lowering.linux.readonly_paths;
  for (std::size_t index = 0; index < config.mounts.size(); ++index) {
    Mount mount;
    mount.pointer = fmt::format("/mounts/{}", index);
    mount.destination = clean_path("/" + config.mounts[index].destination);
    check_removed(lowering, mount);
    plan.rootfs.mounts.push_back(std::move(mount));
  }
  if (!problems.empty()) {
    return std::unexpected(problems.error());
  }
  return plan;
}

}  // namespace berth::plan
