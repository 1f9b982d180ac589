#include "container/observation.hpp"

#include <berth/base/passwd.hpp>
#include <berth/sys/file.hpp>
#include <berth/sys/socket.hpp>

#include <fcntl.h>

#include <cerrno>

#include "container/process_identity.hpp"

namespace berth::container {
namespace {

// Of most containers it is gone, which is less to ask than to connect.
Result<bool> has_start_socket(int directory, const std::string& name) {
  const auto status = sys::stat_at(directory, name, AT_SYMLINK_NOFOLLOW);
  if (!status && !status.error().is(ENOENT)) {
    return std::unexpected(status.error());
  }
  return status.has_value();
}

// Whether the container's process still listens at its start socket: exec closes it.
Result<bool> awaits_start(int directory) {
  auto connection = sys::connect_at(directory, kStartSocket);
  if (connection) {
    return true;
  }
  if (connection.error().is(ENOENT) || connection.error().is(ECONNREFUSED)) {
    return false;
  }
  if (connection.error().is(EAGAIN)) {
    return true;  // somebody listens, with a full queue
  }
  return std::unexpected(std::move(connection).error());
}

Result<bool> awaits_start(const StateView& containers, const std::string& id) {
  if (!TRY(has_start_socket(containers.fd(), fmt::format("{}/{}", id, kStartSocket)))) {
    return false;
  }
  const auto directory = sys::open_at(containers.fd(), id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!directory) {
    return directory.error().is(ENOENT) ? Result<bool>(false) : std::unexpected(directory.error());
  }
  return awaits_start(directory->get());
}

}  // namespace

Result<Observation> observe(const ContainerDirectory& directory, const std::optional<spec::Record>& record) {
  Observation observation;
  if (!record || !record->committed) {
    observation.status = spec::ContainerStatus::kCreating;
    return observation;
  }
  observation.process = TRY(find_process(*record));
  if (!observation.process) {
    observation.status = spec::ContainerStatus::kStopped;
  } else if (TRY(cgroup::Cgroup::open(placement_of(*record)).frozen())) {  // first: who is frozen takes no connection
    observation.status = spec::ContainerStatus::kPaused;
  } else if (TRY(has_start_socket(directory.fd(), kStartSocket)) && TRY(awaits_start(directory.fd()))) {
    observation.status = spec::ContainerStatus::kCreated;
  } else {
    observation.status = spec::ContainerStatus::kRunning;
  }
  return observation;
}

Result<spec::State> look_at(const StateView& containers, const std::string& id, cgroup::FrozenAbove& above) {
  auto record = TRY(containers.load(id));
  spec::ContainerStatus status = spec::ContainerStatus::kCreating;
  if (record && record->committed) {
    const Result<bool> paused = cgroup::Cgroup::open(placement_of(*record)).frozen(above);
    const Result<bool> waits = paused.value_or(true) ? false : awaits_start(containers, id);
    // Last, as it shows that the rest was of this container too: its files and its cgroup go only after its process,
    // and another container may have its id then.
    if (!TRY(still_lives(*record))) {
      status = spec::ContainerStatus::kStopped;
    } else if (TRY(paused)) {
      status = spec::ContainerStatus::kPaused;
    } else {
      status = TRY(waits) ? spec::ContainerStatus::kCreated : spec::ContainerStatus::kRunning;
    }
  }
  spec::Record known = std::move(record).value_or(spec::Record());
  known.id = id;
  return describe(known, status, known.pid);
}

spec::State describe(const spec::Record& record, spec::ContainerStatus status, pid_t pid) {
  return {.id = record.id,
          .status = status,
          .pid = status == spec::ContainerStatus::kStopped ? 0 : pid,
          .bundle = record.bundle,
          .rootfs = record.rootfs,
          .created = record.created,
          .annotations = record.annotations,
          .owner = owner_name(record.owner)};
}

launch::SeccompReceiver seccomp_receiver(const spec::Record& record, pid_t pid) {
  const auto status = pid == record.pid ? spec::ContainerStatus::kCreated : spec::ContainerStatus::kRunning;
  const spec::State state = describe(record, status, record.pid);
  return {.path = record.seccomp_listener_path,
          .document = spec::process_state_json(state, pid, record.seccomp_listener_metadata)};
}

cgroup::Placement placement_of(const spec::Record& record) {
  cgroup::Placement placement;
  // The record was checked when it was read; an unknown manager there is one of another version.
  placement.manager = cgroup::parse_manager(record.cgroup.manager).value_or(cgroup::Manager::kDisabled);
  placement.path = record.cgroup.path;
  placement.inode = record.cgroup.inode;
  for (const spec::CgroupDirectoryRecord& directory : record.cgroup.directories) {
    placement.directories.push_back({.hierarchy = directory.hierarchy, .path = directory.path});
  }
  if (record.cgroup.unit) {
    placement.unit.emplace().name = record.cgroup.unit->name;
    placement.unit->user = record.cgroup.unit->user;
    placement.unit->invocation = record.cgroup.unit->invocation;
  }
  return placement;
}

spec::CgroupRecord record_of(const cgroup::Placement& placement) {
  spec::CgroupRecord record{.manager = std::string(cgroup::manager_name(placement.manager)),
                            .path = placement.path,
                            .directories = {},
                            .unit = {},
                            .inode = placement.inode};
  for (const cgroup::Directory& directory : placement.directories) {
    record.directories.push_back({.hierarchy = directory.hierarchy, .path = directory.path});
  }
  if (placement.unit) {
    record.unit = spec::UnitRecord{
        .name = placement.unit->name, .user = placement.unit->user, .invocation = placement.unit->invocation};
  }
  return record;
}

std::string owner_name(uid_t uid) {
  if (uid == 0) {
    return "root";
  }
  constexpr std::size_t kMaxPasswd = 1024UL * 1024;
  const auto passwd = sys::read_file(AT_FDCWD, "/etc/passwd", kMaxPasswd);
  const auto entry = passwd ? find_user_by_id(*passwd, uid) : std::nullopt;
  return entry ? std::string(entry->name) : std::to_string(uid);
}

}  // namespace berth::container
