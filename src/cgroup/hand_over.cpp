#include <berth/base/log.hpp>
#include <berth/cgroup/hand_over.hpp>
#include <berth/sys/file.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "cgroup/layout.hpp"
#include "cgroup/place.hpp"

namespace berth::cgroup {
namespace {

// cgroups(7). Before Linux 4.15 there is no list, and these are all.
std::string delegated_files() {
  return sys::read_record(AT_FDCWD, "/sys/kernel/cgroup/delegate", 4096)
      .value_or("cgroup.procs\ncgroup.threads\ncgroup.subtree_control\n");
}

Status give(int directory, const std::string& name, uid_t owner) {
  const auto file = sys::open_at(directory, name, O_PATH | O_NOFOLLOW);
  if (!file) {
    return file.error().is(ENOENT) ? Status() : Status(std::unexpected(file.error()));
  }
  return sys::change_owner(file->get(), owner, static_cast<gid_t>(-1), name);
}

// The cgroup2 directory, or null where there is none or v1 has controllers.
const Directory* delegable_directory(const Placement& placement) {
  const bool has_v1 = std::ranges::any_of(placement.directories, [](const Directory& directory) {
    return !directory.hierarchy.empty() && !is_named_hierarchy(directory.hierarchy);
  });
  return has_v1 ? nullptr : find_directory(placement, "");
}

}  // namespace

Status delegate_below(const Placement& placement, const std::string& name, pid_t pid, std::optional<uid_t> owner) {
  const Directory* unified = delegable_directory(placement);
  if (unified == nullptr) {
    return fail(ErrorKind::kConfig,
                "/annotations/run.oci.delegate-cgroup: cgroup v1 cannot be delegated safely: expected "
                "a cgroup of a host with cgroup2 alone");
  }
  Placement below;
  below.path = placement.path + "/" + name;
  below.directories = {{"", unified->path + "/" + name}};
  const std::string& directory = below.directories.front().path;
  TRY(sys::make_directory(AT_FDCWD, directory, 0755));
  TRY(sys::write_file(AT_FDCWD, directory + "/cgroup.procs", std::to_string(pid)));
  return owner ? hand_over(below, *owner) : Status();
}

Status hand_over(const Placement& placement, uid_t owner) {
  const Directory* unified = delegable_directory(placement);
  if (unified == nullptr) {
    return {};
  }
  const auto given = [&]() -> Status {
    const sys::UniqueFd directory = TRY(sys::open_at(AT_FDCWD, unified->path, O_RDONLY | O_DIRECTORY));
    TRY(sys::change_owner(directory.get(), owner, static_cast<gid_t>(-1), unified->path));
    for (const std::string& name : split(delegated_files(), '\n')) {
      TRY(give(directory.get(), name, owner));
    }
    return {};
  }();
  if (!given && given.error().is(EPERM) && ::geteuid() != 0) {
    log::debug("the cgroup stays the caller's: {}", given.error().message());  // the specification says MAY
    return {};
  }
  TRY_CONTEXT(given, "give the cgroup to user {}", owner);
  return {};
}

}  // namespace berth::cgroup
