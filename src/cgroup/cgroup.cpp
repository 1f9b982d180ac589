#include <berth/cgroup/cgroup.hpp>
#include <berth/sys/file.hpp>
#include <berth/sys/process.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>

#include <cerrno>
#include <ranges>

#include "cgroup/controllers.hpp"
#include "cgroup/devices.hpp"
#include "cgroup/directory.hpp"
#include "cgroup/freezer.hpp"
#include "cgroup/limits.hpp"
#include "cgroup/place.hpp"
#include "cgroup/processes.hpp"
#include "cgroup/statistics.hpp"
#include "cgroup/systemd/bus.hpp"
#include "cgroup/systemd/scope.hpp"
#include "cgroup/systemd/slices.hpp"
#include "cgroup/update_limits.hpp"
#include "cgroup/write_limits.hpp"

namespace berth::cgroup {
namespace {

constexpr std::chrono::milliseconds kUndoBound{2000};
constexpr int kAttempts = 100;
constexpr mode_t kPermissions = 0777;

void add_move_hint(Error& error) {
  if (error.is(EBUSY)) {
    error.add_hint("its child cgroups have controllers enabled, and cgroup2 then allows processes only in these");
  } else if (error.is(EOPNOTSUPP)) {
    error.add_hint("its parent is a threaded cgroup; choose another cgroupsPath");
  } else if (error.is(ENOSPC)) {
    error.add_hint("its cpuset has no cpus or no mems");
  } else if (error.is(EINVAL)) {
    error.add_hint("a real-time process needs a cgroup with a real-time budget: set cpu/realtimeRuntime");
  }
}

Status refuse_processes(const std::string& path) {
  const std::vector<pid_t> pids = TRY(processes_below(path));
  if (pids.empty()) {
    return {};
  }
  Error error(ErrorKind::kExists,
              fmt::format("cgroup {} is not empty: it has process {}", path, fmt::join(pids, ", ")));
  error.add_hint("choose another cgroupsPath, or end them");
  return std::unexpected(std::move(error));
}

// Those that were made for this cgroup and hold nothing else.
void remove_parents(const Placement& placement, const Directory& directory) {
  if (placement.unit) {
    systemd::stop_marked_slices(placement);
  } else {
    remove_marked_parents(hierarchy_root(placement, directory), directory.path);
  }
}

}  // namespace

struct Cgroup::Implementation {
  Placement placement;
  std::vector<bool> made;      ///< for each directory: by this object
  mutable sys::UniqueFd lock;  ///< of the first directory; for cgroup2 also what CLONE_INTO_CGROUP takes
  std::uint64_t locked_inode = 0;
  pid_t maker = 0;  ///< the process that made them; a copy of this object in a child undoes nothing
  bool is_new = false;
  bool fork_refused = false;  ///< by pids.max: a process can be moved in, but not be made there
  bool unit_started = false;  ///< by this object
  sys::Child placeholder;     ///< holds the unit until the container's process is in it

  Status start_unit();
  Status move(pid_t pid, bool cloned_into);
  Status make(std::size_t index);
  Result<bool> make_directory(std::size_t index);
  Result<bool> lock_first();
  Result<bool> replace(std::size_t index);
  Result<bool> claim();
  Status remove_made(std::chrono::milliseconds timeout);
  [[nodiscard]] bool starts_with_unified() const {
    return !placement.directories.empty() && placement.directories.front().hierarchy.empty();
  }
};

Status Cgroup::Implementation::start_unit() {
  placeholder = TRY(systemd::start_placeholder());
  Result<std::string> invocation = systemd::start_scope(placement, placeholder.pid());
  if (!invocation) {
    placeholder.kill_and_reap();
    static_cast<void>(
        systemd::stop_unused_scope(placement));  // where the answer alone was lost; the first error counts
    systemd::stop_marked_slices(placement);
    return std::unexpected(std::move(invocation).error());
  }
  placement.unit->invocation = std::move(*invocation);
  unit_started = true;
  return {};
}

// Into every directory, or only those that CLONE_INTO_CGROUP did not cover.
Status Cgroup::Implementation::move(pid_t pid, bool cloned_into) {
  const std::string text = fmt::to_string(pid);
  for (const Directory& directory : placement.directories) {
    if (cloned_into && directory.hierarchy.empty()) {
      continue;
    }
    Status moved = sys::write_file(AT_FDCWD, directory.path + "/cgroup.procs", text);
    // From outside of what was delegated to a user only root can move processes there, so systemd does it.
    if (!moved && placement.unit && placement.unit->user && (moved.error().is(EACCES) || moved.error().is(EPERM))) {
      moved = systemd::attach_process(*placement.unit, systemd::below_unit(placement), pid);
    }
    if (!moved) {
      add_move_hint(moved.error());
      moved.error().add_context(fmt::format("move process {} into cgroup {}", pid, directory.path));
      return moved;
    }
  }
  return {};
}

Status Cgroup::Implementation::make(std::size_t index) {
  const Directory& directory = placement.directories[index];
  bool was_made = TRY(make_directory(index));
  if (!was_made && !placement.unit) {
    TRY(refuse_processes(directory.path));
    was_made = TRY(replace(index));
  }
  if (index == 0) {
    // systemd starts no unit whose name is in use, and the directory of a new one is as it should be.
    is_new = was_made || placement.unit;
    placement.inode = placement.unit ? 0 : locked_inode;
  }
  return {};
}

// False if it was there. The first is locked then.
Result<bool> Cgroup::Implementation::make_directory(std::size_t index) {
  const Directory& directory = placement.directories[index];
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    made[index] = TRY(make_cgroup(directory.hierarchy, hierarchy_root(placement, directory), directory.path));
    if (index > 0) {
      return made[index];
    }
    const Result<bool> locked = lock_first();
    if (locked && *locked) {
      return made[index];
    }
    if (!locked) {
      made[index] = made[index] && locked.error().kind() != ErrorKind::kExists;  // somebody else builds on it already
      return locked;
    }
  }
  return fail(ErrorKind::kExists, "cgroup {} is made and removed by others all the time", directory.path);
}

// The lock on the first directory decides which command works on the cgroup: one that makes it for a container has the
// lock until a process is in it, one that removes it until it is gone. It is open as long as this object lives, or a
// child that inherited it has not called execve(2). False if the directory that was locked is not there any more.
Result<bool> Cgroup::Implementation::lock_first() {
  const std::string& path = placement.directories.front().path;
  auto opened = sys::open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
  if (!opened) {
    return opened.error().is(ENOENT) ? Result<bool>(false) : std::unexpected(std::move(opened).error());
  }
  lock = std::move(*opened);
  const Status locked = sys::lock_file(lock.get(), LOCK_EX | LOCK_NB, path);
  if (!locked && locked.error().is(EWOULDBLOCK)) {
    return fail(ErrorKind::kExists, "cgroup {} is being set up for another container, or removed with one", path);
  }
  TRY(locked);
  const auto named = sys::stat_at(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW);
  if (!named) {
    return named.error().is(ENOENT) ? Result<bool>(false) : std::unexpected(named.error());
  }
  locked_inode = TRY(sys::stat_fd(lock.get(), path)).st_ino;
  return named->st_ino == locked_inode;
}

// A directory in which a container was, whose record may still say so: that container knows its own by the inode, so
// this one gets another. What somebody else has made for a container has its limits from him, and is taken as it is;
// with the mark, the next container does not do the same.
Result<bool> Cgroup::Implementation::replace(std::size_t index) {
  const Directory& directory = placement.directories[index];
  const mode_t mode = TRY(sys::stat_at(AT_FDCWD, directory.path, AT_SYMLINK_NOFOLLOW)).st_mode;
  if ((mode & kMark) == 0) {
    const Status marked =
        index > 0 ? Status() : sys::change_mode(lock.get(), (mode & kPermissions) | kMark, directory.path);
    return marked || marked.error().is(EPERM) ? Result<bool>(false) : std::unexpected(marked.error());
  }
  const Status removed = remove_cgroup(directory.path, directory.hierarchy.empty(), Clock::now());
  if (!removed && !removed.error().is(EACCES) && !removed.error().is(EPERM)) {
    return std::unexpected(removed.error());
  }
  return removed ? make_directory(index) : Result<bool>(false);
}

Result<bool> Cgroup::Implementation::claim() {
  if (placement.directories.empty() || lock.valid()) {
    return true;
  }
  const Result<bool> locked = lock_first();
  // If it is not there, nothing of another container's is: what goes first is made first and removed last.
  bool ours = locked.has_value();
  if (locked && *locked && placement.inode != 0) {
    ours = locked_inode == placement.inode;
  }
  if (!ours) {
    lock.reset();
  }
  return locked || locked.error().kind() == ErrorKind::kExists ? Result<bool>(ours) : locked;
}

Status Cgroup::Implementation::remove_made(std::chrono::milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  if (unit_started) {
    TRY(kill_processes(placement, SIGKILL));
    TRY(systemd::stop_scope(*placement.unit));
    systemd::stop_marked_slices(placement);
    unit_started = false;
  }
  for (std::size_t i = made.size(); i-- > 0;) {  // the first, which is locked, goes last
    if (made[i]) {
      const Directory& directory = placement.directories[i];
      TRY(remove_cgroup(directory.path, directory.hierarchy.empty(), deadline));
      remove_parents(placement, directory);
      made[i] = false;
    }
  }
  return {};
}

Cgroup::Cgroup(std::unique_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {}
Cgroup::Cgroup(Cgroup&&) noexcept = default;

Cgroup& Cgroup::operator=(Cgroup&& other) noexcept {
  if (this != &other) {
    const Cgroup previous(std::move(*this));  // which undoes what it made
    implementation_ = std::move(other.implementation_);
  }
  return *this;
}

Cgroup::~Cgroup() {
  if (!implementation_ || implementation_->made.empty()) {
    return;
  }
  if (implementation_->maker != sys::own_pid()) {
    static_cast<void>(implementation_->placeholder.release());
    return;
  }
  if (!implementation_->remove_made(std::chrono::milliseconds(0))) {
    // A process is in it that nobody will look after any more. A destructor has nobody to tell about errors; what is
    // left is found by the placement in the container's state.
    static_cast<void>(kill_processes(implementation_->placement, SIGKILL));
    static_cast<void>(implementation_->remove_made(kUndoBound));
  }
  implementation_->placeholder.kill_and_reap();  // last: it is what tells that the unit is still ours
}

Status Cgroup::check(const Placement& placement, const plan::Resources& resources) {
  if (placement.directories.empty()) {
    return {};  // --cgroup-manager disabled: the user has chosen to have no limits
  }
  const Controllers controllers = TRY(find_controllers(placement, resources));
  TRY(enforceable_limits(resources, controllers));
  return check_device_rules(placement, resources.devices);
}

bool Cgroup::asks_for_limits(const plan::Resources& resources) {
  std::vector<MissingController> missing;
  const Result<Limits> limits = translate(resources, {}, &missing);
  return !limits || !missing.empty() || !limits->legacy.empty() || !limits->unified.empty();
}

Result<Cgroup> Cgroup::create(const Placement& placement) {
  Cgroup cgroup(std::make_unique<Implementation>());
  Implementation& self = *cgroup.implementation_;
  self.placement = placement;
  self.maker = sys::own_pid();
  self.made.assign(placement.directories.size(), false);
  if (placement.unit) {
    TRY_CONTEXT(self.start_unit(), "create the cgroup");
  }
  for (std::size_t i = 0; i < placement.directories.size(); ++i) {
    TRY_CONTEXT(self.make(i), "create the cgroup");
  }
  TRY_CONTEXT(refuse_frozen(placement), "create the cgroup");
  if (placement.unit) {  // it may be above the container's own cgroup
    TRY(self.move(self.placeholder.pid(), false));
  }
  return cgroup;
}

Cgroup Cgroup::open(Placement placement) {
  auto implementation = std::make_unique<Implementation>();
  implementation->placement = std::move(placement);
  return Cgroup(std::move(implementation));
}

const Placement& Cgroup::placement() const {
  return implementation_->placement;
}

Status Cgroup::apply(const plan::Resources& resources) {
  Implementation& self = *implementation_;
  if (self.placement.directories.empty()) {
    return {};
  }
  const Controllers controllers = TRY(find_controllers(self.placement, resources));
  const Limits limits = TRY(enforceable_limits(resources, controllers));
  const DeviceRules devices =
      TRY_CONTEXT(prepare_device_rules(self.placement, resources.devices), "set the device rules of the cgroup");
  TRY_CONTEXT(enable_unified(self.placement, limits, controllers), "set the limits of the cgroup");
  if (resources.memory.check_before_update && !self.is_new) {
    TRY(check_memory_in_use(self.placement, limits.unified));
  }
  if (self.placement.unit) {
    systemd::Bus bus = TRY_CONTEXT(systemd::Bus::connect(self.placement.unit->user), "set the limits of the cgroup");
    TRY_CONTEXT(systemd::set_limits(bus, *self.placement.unit, limits.unified), "set the limits of the cgroup");
  }
  TRY_CONTEXT(write_legacy_limits(self.placement, limits.legacy), "set the limits of the cgroup");
  TRY_CONTEXT(write_unified_limits(self.placement, limits.unified), "set the limits of the cgroup");
  TRY_CONTEXT(
      apply_device_rules(self.placement, self.starts_with_unified() ? self.lock.get() : -1, self.is_new, devices),
      "set the device rules of the cgroup");
  const std::int64_t others = self.placeholder.pid() > 0 ? 1 : 0;
  self.fork_refused = resources.pids_limit && *resources.pids_limit >= 0 && *resources.pids_limit <= others;
  return {};
}

Status Cgroup::update(const plan::Resources& resources) {
  return update_limits(implementation_->placement, resources);
}

int Cgroup::clone_fd() const {
  const Implementation& self = *implementation_;
  // From outside of what was delegated to a user, the kernel lets only root clone into it; add() knows another way.
  const bool of_user = self.placement.unit && self.placement.unit->user;
  if (!self.starts_with_unified() || self.fork_refused || of_user) {
    return -1;
  }
  if (!self.lock.valid()) {
    Result<sys::UniqueFd> opened =
        sys::open_at(AT_FDCWD, self.placement.directories.front().path, O_RDONLY | O_DIRECTORY);
    if (opened) {  // else add() will fail in its turn, and say why
      self.lock = std::move(*opened);
    }
  }
  return self.lock.get();
}

bool Cgroup::clone_suffices() const {
  return implementation_->placement.directories.size() == 1 && clone_fd() >= 0;
}

Status Cgroup::add(pid_t pid, bool cloned_into) {
  TRY(implementation_->move(pid, cloned_into));
  implementation_->placeholder.kill_and_reap();
  return {};
}

Result<bool> Cgroup::still_ours() const {
  const Placement& placement = implementation_->placement;
  if (placement.unit) {
    return TRY_CONTEXT(systemd::has_scope(*placement.unit), "find the cgroup");
  }
  if (placement.directories.empty() || placement.inode == 0) {
    return true;
  }
  const auto status = sys::stat_at(AT_FDCWD, placement.directories.front().path, AT_SYMLINK_NOFOLLOW);
  if (!status) {
    return status.error().is(ENOENT) ? Result<bool>(true) : std::unexpected(status.error());
  }
  return status->st_ino == placement.inode;
}

Result<bool> Cgroup::claim() {
  return implementation_->placement.unit ? still_ours() : TRY_CONTEXT(implementation_->claim(), "find the cgroup");
}

Result<std::vector<pid_t>> Cgroup::processes() const {
  const Directory* directory = process_directory(implementation_->placement);
  if (directory == nullptr) {
    return std::vector<pid_t>();
  }
  return TRY_CONTEXT(processes_below(directory->path), "list the processes of the cgroup");
}

spec::Statistics Cgroup::statistics() const {
  return read_statistics(implementation_->placement);
}

Status Cgroup::freeze() {
  return freeze_processes(implementation_->placement);
}

Status Cgroup::thaw() {
  TRY_CONTEXT(thaw_processes(implementation_->placement), "thaw the cgroup");
  return {};
}

Result<bool> Cgroup::frozen() const {
  return processes_frozen(implementation_->placement);
}

Result<bool> Cgroup::frozen(FrozenAbove& above) const {
  return processes_frozen(implementation_->placement, above);
}

Status Cgroup::kill(int signal) {
  TRY_CONTEXT(kill_processes(implementation_->placement, signal), "signal all processes of the cgroup");
  return {};
}

Status Cgroup::remove(std::chrono::milliseconds timeout) {
  Implementation& self = *implementation_;
  const auto deadline = Clock::now() + timeout;
  const bool ours = self.placement.unit ? TRY_CONTEXT(systemd::stop_scope(*self.placement.unit), "remove the cgroup")
                                        : TRY_CONTEXT(self.claim(), "remove the cgroup");
  if (!ours) {
    return {};
  }
  // Also below a unit: systemd leaves what it may not remove, which is what a user's container has made.
  for (const Directory& directory : self.placement.directories | std::views::reverse) {
    TRY_CONTEXT(remove_cgroup(directory.path, directory.hierarchy.empty(), deadline), "remove the cgroup");
    remove_parents(self.placement, directory);
  }
  release();
  return {};
}

Status Cgroup::remove_unused() {
  Implementation& self = *implementation_;
  if (self.placement.directories.empty()) {
    return {};
  }
  if (self.placement.unit) {
    TRY_CONTEXT(systemd::stop_unused_scope(self.placement), "remove the cgroup");
    systemd::stop_marked_slices(self.placement);
    return {};
  }
  if (!TRY_CONTEXT(self.claim(), "remove the cgroup")) {
    return {};
  }
  for (const Directory& directory : self.placement.directories | std::views::reverse) {
    const Status removed = sys::unlink_at(AT_FDCWD, directory.path, AT_REMOVEDIR);
    if (!removed && !removed.error().is(ENOENT) && !removed.error().is(EBUSY)) {
      return removed;
    }
    remove_parents(self.placement, directory);
  }
  return {};
}

void Cgroup::release() {
  implementation_->made.clear();
  implementation_->unit_started = false;
  implementation_->lock.reset();
}

}  // namespace berth::cgroup
