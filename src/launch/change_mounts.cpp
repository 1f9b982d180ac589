#include <berth/channel/channel.hpp>
#include <berth/launch/change_mounts.hpp>
#include <berth/ns/namespace_set.hpp>
#include <berth/path/proc_dir.hpp>
#include <berth/path/root_dir.hpp>
#include <berth/rootfs/mount_changes.hpp>
#include <berth/security/credentials.hpp>
#include <berth/sys/file.hpp>
#include <berth/sys/socket.hpp>

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <utility>

#include "launch/host_sources.hpp"

namespace berth::launch {
namespace {

constexpr std::uint64_t kMount = CLONE_NEWNS;
constexpr std::uint64_t kUser = CLONE_NEWUSER;
// Which the process does not join. That of pids above all: nobody in the container sees it, or what it has of the host
// (CVE-2016-9962, CVE-2019-5736). Who sees it, in the host's own pid namespace, finds it undumpable.
constexpr std::uint64_t kNotJoined = CLONE_NEWPID | 0x00000080U;  // and CLONE_NEWTIME

Status join(const RunningContainer& container, std::uint64_t flags) {
  if (flags == 0) {
    return {};
  }
  auto joined = sys::set_namespace(container.init.get(), static_cast<int>(flags), "pidfd of the container");
  if (!joined && joined.error().is(ESRCH)) {
    return fail(ErrorKind::kState, "container not running");
  }
  return joined;
}

Status become_root_of(const plan::Namespaces& namespaces) {
  if (!namespaces.has(CLONE_NEWUSER)) {
    return {};
  }
  TRY(security::become_namespace_root(false));
  // A change of credentials takes both back.
  TRY(sys::die_with_parent());
  return sys::set_undumpable();
}

// The container's first process may have made a user namespace and in that a mount namespace. Over the mounts of such a
// one it rules: it would take off what makes them read-only.
Status check_mount_namespace(const path::ProcDir& proc, const RunningContainer& container) {
  if (TRY(ns::mount_namespace_belongs_to(proc, container.user_namespace.get()))) {
    return {};
  }
  return fail(ErrorKind::kState, "the container's first process has left the mount namespace that was made for it");
}

// From here on the whole of it is done, or undone, even if the command is killed.
Status survive_parent() {
  TRY(sys::process_control(PR_SET_PDEATHSIG, 0, 0, "PR_SET_PDEATHSIG"));
  return {};
}

Result<path::RootDir> own_root() {
  return path::RootDir(TRY(sys::open_at(AT_FDCWD, "/", O_PATH | O_DIRECTORY)));
}

Status add(const plan::ContainerPlan& plan, const RunningContainer& container, rootfs::AddedMounts& mounts) {
  // Here, in the host's mount namespace: inside, the kernel may refuse a new procfs to a user namespace.
  const path::ProcDir proc = TRY(path::ProcDir::open());
  // A file system belongs to the user, the network or the ipc namespace of who makes it.
  TRY(join(container, plan.namespaces.all() & ~(kNotJoined | kMount)));
  TRY(sys::unshare(CLONE_NEWNS, "CLONE_NEWNS"));
  TRY(mounts.open_sources());
  TRY(become_root_of(plan.namespaces));
  TRY(join(container, kMount));
  TRY(check_mount_namespace(proc, container));
  const path::RootDir root = TRY(own_root());
  TRY(survive_parent());
  return mounts.attach(root, proc);
}

Status remove(const plan::ContainerPlan& plan, const RunningContainer& container) {
  const path::ProcDir proc = TRY(path::ProcDir::open());
  TRY(join(container, plan.namespaces.all() & (kUser | kMount)));
  TRY(become_root_of(plan.namespaces));
  TRY(check_mount_namespace(proc, container));
  const path::RootDir root = TRY(own_root());
  TRY(survive_parent());
  return rootfs::remove_mounts(plan.rootfs, root, proc);
}

// Never returns, and never unwinds: the caller's objects in this copy of its memory must not be destroyed.
[[noreturn]] void perform(channel::Channel channel, const std::function<Status()>& change) noexcept {
  const auto performed = [&]() -> Status {
    TRY(sys::die_with_parent());
    if (!TRY(channel.receive())) {
      ::_exit(1);  // the caller died: nobody is left to report to
    }
    // Away from the signals of the caller's terminal.
    return ::setsid() < 0 ? Status(sys_fail(errno, "setsid")) : change();
  }();
  if (!performed) {
    channel.send_failure(performed.error());
  }
  ::_exit(performed ? 0 : 1);
}

// The change, in a process of its own: who has entered the container does not come back.
Status change_apart(const std::function<Status()>& change) {
  sys::SocketPair sockets = TRY(sys::SocketPair::create());
  channel::Channel channel(std::move(sockets.first));
  TRY(sys::set_undumpable());  // inherited
  auto cloned = TRY(sys::clone_process(0, -1));
  if (!cloned) {
    channel.close();
    perform(channel::Channel(std::move(sockets.second)), change);
  }
  sys::Child process(std::move(*cloned));
  sockets.second.reset();
  TRY(channel.send(channel::MessageType::kProceed));
  TRY(channel.receive());
  const sys::ExitStatus status = TRY(process.reap());
  if (status.shell_status() != 0) {
    return fail(ErrorKind::kSystem, "the process that changes the mounts died: {}", status.describe());
  }
  return {};
}

}  // namespace

Status add_mounts(const plan::ContainerPlan& plan, const RunningContainer& container) {
  rootfs::AddedMounts mounts(plan.rootfs, TRY(open_host_sources(plan.rootfs, container.user_namespace.get())));
  return change_apart([&] { return add(plan, container, mounts); });
}

Status remove_mounts(const plan::ContainerPlan& plan, const RunningContainer& container) {
  return change_apart([&] { return remove(plan, container); });
}

}  // namespace berth::launch
