#include "launch/exec_process.hpp"

#include <berth/base/passwd.hpp>
#include <berth/path/root_dir.hpp>
#include <berth/procattr/attributes.hpp>
#include <berth/security/credentials.hpp>
#include <berth/security/keyring.hpp>
#include <berth/sys/file.hpp>
#include <berth/sys/mount.hpp>
#include <berth/sys/process.hpp>
#include <berth/terminal/pty.hpp>

#include <fcntl.h>
#include <sched.h>

#include <cerrno>
#include <cstring>

#include "launch/home_directory.hpp"
#include "launch/trampoline.h"

namespace berth::launch {

// A process of the container with CAP_SYS_PTRACE may look into every process that it sees, dumpable or not, and be it
// for an instant: root and working directory, descriptors, memory, credentials (CVE-2016-9962). So all of that is the
// container's before the step "pid namespace", which makes the process that the container sees.
void ExecProcess::run() noexcept {
  static constexpr auto kSteps = std::to_array<Step<ExecProcess>>({
      {"start", &ExecProcess::await_proceed},
      {"/proc", &ExecProcess::open_proc},
      {"host's descriptors", &ExecProcess::close_host_descriptors},
      {"namespaces", &ExecProcess::join_namespaces},
      {"session keyring", &ExecProcess::join_keyring},
      {"user", &ExecProcess::find_user},
      {"terminal", &ExecProcess::open_terminal},
      {"process attributes", &ExecProcess::set_attributes},
      {"stdio", &ExecProcess::own_stdio},
      {"label", &ExecProcess::set_labels},
      {"credentials", &ExecProcess::drop_privileges},
      {"working directory", &ExecProcess::enter_working_directory},
      {"program", &ExecProcess::find_program},
      {"trampoline", &ExecProcess::hand_over},
      {"pid namespace", &ExecProcess::enter_pid_namespace},
      {"session", &ExecProcess::lead_session},
      {"descriptors", &ExecProcess::close_descriptors},
      {"start", &ExecProcess::await_commit},
      {"program", &ExecProcess::execute},
  });
  run_steps(kSteps);
}

Status ExecProcess::open_proc() {
  if (!process_.oom_score_adj && process_.selinux_label.empty() && process_.apparmor_profile.empty()) {
    return {};
  }
  // Here, in the caller's mount namespace. The score is set here too, because to lower it takes the caller's rights.
  proc_ = TRY(path::ProcDir::open_mounted());
  return process_.oom_score_adj ? procattr::set_oom_score(*proc_, *process_.oom_score_adj) : Status();
}

Status ExecProcess::close_host_descriptors() {
  return keep_descriptors({context_.init.get(), context_.options.root.get(), proc_ ? proc_->fd() : -1,
                           prepared_.trampoline.get(), trace::fd()});
}

Status ExecProcess::join_namespaces() {
  if (context_.join_flags != 0) {
    // All in one call: either of them or none, the user namespace first, and no path that could have changed.
    TRY_CONTEXT(
        sys::set_namespace(context_.init.get(), static_cast<int>(context_.join_flags), "pidfd of the container"),
        "join namespaces {:#x}", context_.join_flags);
  }
  if (context_.options.root.valid()) {
    TRY(sys::enter_directory(context_.options.root.get(), "<rootfs>"));
    TRY(sys::change_root_here());
  }
  if ((context_.options.namespaces & static_cast<unsigned>(CLONE_NEWUSER)) != 0) {
    TRY(security::become_namespace_root(process_.user.keep_groups));
    // A change of credentials takes the parent-death signal back.
    TRY(sys::die_with_parent());
  }
  return {};
}

Status ExecProcess::join_keyring() {
  return context_.options.no_new_keyring ? Status() : security::join_session_keyring(process_.selinux_label);
}

Status ExecProcess::find_user() {
  const std::string& name = context_.options.user_name;
  if (name.empty()) {
    return {};
  }
  const std::string passwd = container_passwd();
  const auto entry = find_user_by_name(passwd, name);
  if (!entry) {
    return fail(ErrorKind::kConfig, "unable to find user {}: no matching entries in the container's /etc/passwd", name);
  }
  process_.user.uid = entry->uid;
  process_.user.gid = entry->gid;
  return {};
}

Status ExecProcess::open_terminal() {
  if (!process_.terminal) {
    return {};
  }
  const path::RootDir root(TRY(sys::open_at(AT_FDCWD, "/", O_PATH | O_DIRECTORY)));
  terminal::Pty pty = TRY(terminal::open_pty(root, process_.console_size));
  TRY(terminal::use_as_stdio(pty.slave.get(), process_.user.uid));
  terminal_ = std::move(pty.master);
  return {};
}

Status ExecProcess::set_attributes() {
  TRY_CONTEXT(procattr::set_affinity(process_.exec_affinity.final), "/process/execCPUAffinity/final");
  return procattr::apply_inherited(process_);
}

Status ExecProcess::hand_over() {
  if (!prepared_.trampoline_takes_over) {
    return {};
  }
  TRY(close_descriptors());
  unsigned phases = kForks;
  if (!context_.at_once) {
    phases |= kSaysReady | kAwaitsCommit;
  }
  if (process_.terminal) {
    phases |= kControlsTerminal;
  }
  if (prepared_.passed.listen != 0) {
    phases |= kWritesListenPid;
  }
  return execute_through_trampoline(phases);
}

Status ExecProcess::enter_pid_namespace() {
  TRY(keep_descriptors({terminal_.get(), prepared_.trampoline.get()}));
  // /proc/PID/environ: the caller's environment is nobody's business.
  for (char** variable = environ; *variable != nullptr; ++variable) {
    std::memset(*variable, 0, std::strlen(*variable));
  }
  // CLONE_PARENT: the new process is the supervisor's child, as it would be without this one.
  auto cloned = sys::clone_process(static_cast<unsigned>(CLONE_PARENT), -1);
  if (!cloned) {
    Error& error = cloned.error();
    if (error.is(ENOMEM)) {
      error.add_hint("the container's first process may have ended");
    } else if (error.is(EAGAIN)) {
      error.add_hint("the container's pids limit, or the user's RLIMIT_NPROC, is reached");
    }
    return std::unexpected(std::move(error));
  }
  if (!*cloned) {
    return channel_.count_as_said(channel::MessageType::kCloned);
  }
  TRY(channel_.send(channel::MessageType::kCloned, std::to_string((*cloned)->pid), (*cloned)->pidfd.get()));
  ::_exit(0);
}

Status ExecProcess::lead_session() {
  TRY(await_proceed());  // its session is a new one again
  return process_.terminal ? terminal::control_by_stdin() : Status();
}

Status ExecProcess::close_descriptors() {
  return ContainerProcess::close_descriptors({});
}

}  // namespace berth::launch
