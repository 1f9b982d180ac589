#include <berth/base/log.hpp>
#include <berth/channel/channel.hpp>
#include <berth/container/lifecycle.hpp>
#include <berth/launch/supervisor.hpp>
#include <berth/rdt/resctrl.hpp>
#include <berth/spec/parse.hpp>
#include <berth/sys/file.hpp>
#include <berth/sys/socket.hpp>

#include <fcntl.h>
#include <signal.h>

#include <cerrno>

#include "container/destroy.hpp"
#include "container/notify_socket.hpp"
#include "container/observation.hpp"
#include "container/process_identity.hpp"

namespace berth::container {
namespace {

using spec::ContainerStatus;

struct Locked {
  ContainerDirectory directory;
  std::optional<spec::Record> record;
  Observation observation;
};

Result<Locked> lock_and_observe(const StateStore& store, const std::string& id) {
  ContainerDirectory directory = TRY(store.lock(id));
  auto record = TRY(directory.load());
  Observation observation = TRY(observe(directory, record));
  return Locked{std::move(directory), std::move(record), std::move(observation)};
}

// What the specification calls an error: an operation in a state that does not allow it.
std::unexpected<Error> wrong_state(std::string text, ContainerStatus status) {
  Error error(ErrorKind::kState, std::move(text));
  if (status == ContainerStatus::kCreating) {
    error.add_hint("its creation was interrupted: delete it with --force");
  }
  return std::unexpected(std::move(error));
}

Status refuse_start(ContainerStatus status) {
  switch (status) {
    case ContainerStatus::kStopped:
      return wrong_state("cannot start a container that has stopped", status);
    case ContainerStatus::kRunning:
      return wrong_state("cannot start an already running container", status);
    default:
      return wrong_state(fmt::format("cannot start a container that is {}", spec::status_name(status)), status);
  }
}

// The record cannot be read: what was meant to be made, before it was, still says where the cgroup is, and the cgroup
// holds every process.
Status destroy_by_intent(const ContainerDirectory& directory, Error damage) {
  const auto intent = directory.load_intent();
  if (!intent || !*intent || (*intent)->cgroup.directories.empty()) {
    damage.add_hint("nothing else tells what belongs to this container: end its processes, then remove its directory");
    return std::unexpected(std::move(damage));
  }
  log::warning("delete \"{}\": {}", directory.id(), damage.message());
  return destroy(directory, *intent);
}

// The shares of Intel RDT first, which can be taken back. A class of service that is made for them is in the record
// before it exists.
Status update_with_shares(const ContainerDirectory& directory, const spec::Record& record, cgroup::Cgroup& cgroup,
                          const plan::Update& update) {
  const std::string text = TRY(directory.load_config());
  const spec::Config config = TRY_CONTEXT(spec::parse_config(text), "configuration of the container");
  plan::IntelRdt wanted;
  if (config.linux && config.linux->intel_rdt) {
    wanted.clos_id = config.linux->intel_rdt->clos_id;
    wanted.enable_monitoring = config.linux->intel_rdt->enable_monitoring;
  }
  const rdt::Groups groups = TRY(rdt::groups_to_change(wanted, record.id));
  if (groups.makes_control) {
    spec::Record changed = record;
    changed.rdt_directories = groups.made();
    TRY(directory.save(changed));
  }
  const auto processes = [&]() -> Result<std::vector<pid_t>> {
    std::vector<pid_t> pids = TRY(cgroup.processes());
    pids.push_back(record.pid);  // all that is known of it without a cgroup
    return pids;
  };
  // Without a cgroup shares alone can change. A limit that is lifted needs none.
  const bool limits = !cgroup.placement().directories.empty() || cgroup::Cgroup::asks_for_limits(update.resources) ||
                      !update.resources.devices.empty();
  const auto rest = [&] { return limits ? cgroup.update(update.resources) : Status(); };
  Status done = rdt::change(groups, update.schemata, processes, rest);
  if (!done && groups.makes_control) {
    static_cast<void>(directory.save(record));  // the first error counts; a class that is gone already harms nobody
  }
  return done;
}

// It was made with a $NOTIFY_SOCKET too, so that it sees one.
Result<bool> has_notify_directory(const ContainerDirectory& directory) {
  const auto status = sys::stat_at(directory.fd(), kNotifyDirectory, AT_SYMLINK_NOFOLLOW);
  return status || !status.error().is(ENOENT) ? Result<bool>(true) : Result<bool>(false);
}

}  // namespace

Status start(const StateStore& store, const std::string& id) {
  const Locked locked = TRY(lock_and_observe(store, id));
  if (locked.observation.status != ContainerStatus::kCreated) {
    return refuse_start(locked.observation.status);
  }
  std::optional<NotifyProxy> notify;
  if (const std::string address = notify_address(); !address.empty() && TRY(has_notify_directory(locked.directory))) {
    notify.emplace(TRY(NotifyProxy::start(locked.directory.fd(), address)));
  }
  channel::Channel channel(TRY(sys::connect_at(locked.directory.fd(), kStartSocket)),
                           channel::Sequence(channel::Sequence::Begin::kStart));
  TRY(channel.send(channel::MessageType::kStart));
  // startContainer hooks may take as long as they want; whoever wants to kill the container must not wait for them.
  TRY(launch::await_exec(channel, *locked.observation.process, seccomp_receiver(*locked.record, locked.record->pid),
                         [&locked] { return locked.directory.unlock(); }));
  // Nobody listens there any more, which is what tells a running container; `delete` takes the file with the rest.
  static_cast<void>(sys::unlink_at(locked.directory.fd(), kStartSocket));
  run_late_hooks(*locked.record, "poststart");
  if (notify) {
    TRY(locked.directory.unlock());
    return notify->await_ready(*locked.observation.process, locked.record->pid, -1);
  }
  return {};
}

Status kill(const StateStore& store, const std::string& id, int signal, bool all) {
  const Locked locked = TRY(lock_and_observe(store, id));
  const ContainerStatus status = locked.observation.status;
  if (status == ContainerStatus::kCreating) {
    return wrong_state("container not running", status);
  }
  cgroup::Cgroup cgroup = cgroup::Cgroup::open(placement_of(*locked.record));
  if (all) {
    const bool ours = locked.observation.process || (TRY(is_of_this_boot(*locked.record)) && TRY(cgroup.claim()));
    return ours ? cgroup.kill(signal) : Status();
  }
  if (!locked.observation.process) {
    return wrong_state("container not running", status);
  }
  auto sent = locked.observation.process->send_signal(signal);
  if (!sent) {
    // It ended, and was reaped, just now. CRI-O knows these words; the kernel's are spelled differently.
    return sent.error().is(ESRCH) ? wrong_state("container not running", ContainerStatus::kStopped) : sent;
  }
  // On cgroup v1 a frozen process does not even end by SIGKILL.
  return status == ContainerStatus::kPaused && signal == SIGKILL ? cgroup.thaw() : Status();
}

Status remove(const StateStore& store, const std::string& id, bool force) {
  auto directory = store.lock(id);
  if (!directory) {
    const bool gone = directory.error().kind() == ErrorKind::kNotFound;
    return force && gone ? Status() : Status(std::unexpected(std::move(directory).error()));
  }
  auto record = directory->load();
  if (!record) {
    if (!force) {
      return std::unexpected(std::move(record).error());
    }
    return destroy_by_intent(*directory, std::move(record).error());
  }
  if (!force) {
    const Observation observation = TRY(observe(*directory, *record));
    // With the lock held, "creating" means that the creator is dead.
    if (observation.status != ContainerStatus::kStopped && observation.status != ContainerStatus::kCreating) {
      return fail(ErrorKind::kState, "cannot delete container \"{}\" that is not stopped: {} (kill it, or use --force)",
                  id, spec::status_name(observation.status));
    }
  }
  return destroy(*directory, *record);
}

Status pause(const StateStore& store, const std::string& id) {
  const Locked locked = TRY(lock_and_observe(store, id));
  const ContainerStatus status = locked.observation.status;
  if (status == ContainerStatus::kPaused) {
    return wrong_state("container already paused", status);
  }
  if (status != ContainerStatus::kRunning && status != ContainerStatus::kCreated) {
    return wrong_state("container not running", status);
  }
  return cgroup::Cgroup::open(placement_of(*locked.record)).freeze();
}

Status resume(const StateStore& store, const std::string& id) {
  const Locked locked = TRY(lock_and_observe(store, id));
  if (locked.observation.status != ContainerStatus::kPaused) {
    return wrong_state("container not paused", locked.observation.status);
  }
  return cgroup::Cgroup::open(placement_of(*locked.record)).thaw();
}

Status update(const StateStore& store, const std::string& id, const plan::Update& update) {
  const Locked locked = TRY(lock_and_observe(store, id));
  if (!locked.observation.process) {
    return wrong_state("container not running", locked.observation.status);
  }
  cgroup::Cgroup cgroup = cgroup::Cgroup::open(placement_of(*locked.record));
  return update.schemata.empty() ? cgroup.update(update.resources)
                                 : update_with_shares(locked.directory, *locked.record, cgroup, update);
}

Result<spec::State> state(const StateStore& store, const std::string& id) {
  TRY(check_id(id));
  const auto view = TRY(store.view());
  cgroup::FrozenAbove above;
  return view ? look_at(*view, id, above) : std::unexpected(not_found(id));
}

Result<std::vector<pid_t>> processes(const StateStore& store, const std::string& id) {
  const ContainerDirectory directory = TRY(store.open(id));
  const auto record = TRY(directory.load());
  if (!record || !record->committed) {
    return wrong_state("container not running", ContainerStatus::kCreating);
  }
  const cgroup::Cgroup cgroup = cgroup::Cgroup::open(placement_of(*record));
  const bool ours = TRY(find_process(*record)) || (TRY(is_of_this_boot(*record)) && TRY(cgroup.still_ours()));
  return ours ? cgroup.processes() : std::vector<pid_t>();
}

}  // namespace berth::container
