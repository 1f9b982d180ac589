#include "launch/init_process.hpp"

#include <berth/hooks/run_hooks.hpp>
#include <berth/net/loopback.hpp>
#include <berth/security/credentials.hpp>
#include <berth/security/keyring.hpp>
#include <berth/sys/file.hpp>
#include <berth/sys/process.hpp>
#include <berth/sys/socket.hpp>
#include <berth/terminal/pty.hpp>

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <vector>

#include "launch/trampoline.h"

namespace berth::launch {
namespace {

// `start` says Start right after it connected; whoever connects and says nothing (a status query does) is dropped.
constexpr std::chrono::milliseconds kStartMessageTimeout{2000};

rootfs::Options rootfs_options(const InitContext& context) {
  return {.no_pivot = context.options.no_pivot,
          .mount_namespace = context.plan.namespaces.has(CLONE_NEWNS),
          .alone_in_mount_namespace = context.plan.namespaces.creates(static_cast<unsigned>(CLONE_NEWNS)) &&
                                      !context.plan.hooks.any_before_pivot(),
          .new_user_namespace = context.plan.namespaces.has(CLONE_NEWUSER),
          .cgroup_namespace = context.plan.namespaces.has(CLONE_NEWCGROUP),
          .cgroup_view = context.cgroup_view.hierarchies.empty() ? nullptr : &context.cgroup_view};
}

// Other owners of the same numbers, for a process that shares memory with the owner but no descriptors.
std::vector<rootfs::MountSource> borrow(const std::vector<rootfs::MountSource>& sources) {
  std::vector<rootfs::MountSource> borrowed(sources.size());
  for (std::size_t index = 0; index < sources.size(); ++index) {
    const rootfs::MountSource& source = sources[index];
    for (const sys::UniqueFd& tree : source.trees) {
      borrowed[index].trees.emplace_back(tree.get());
    }
    borrowed[index].link = source.link;
    borrowed[index].user_namespace = sys::UniqueFd(source.user_namespace.get());
  }
  return borrowed;
}

}  // namespace

// The order is the point of this file: each step needs what the one before did, or takes away what the ones before
// needed.
void InitProcess::run() noexcept {
  static constexpr auto kSteps = std::to_array<Step<InitProcess>>({
      {"start", &InitProcess::await_proceed},
      {"namespaces", &InitProcess::enter_namespaces},
      {"rootfs", &InitProcess::open_sources},
      {"session keyring", &InitProcess::join_keyring},
      {"network", &InitProcess::configure_network},
      {"mounts", &InitProcess::mount},
      {"hooks", &InitProcess::run_runtime_hooks},
      {"hooks", &InitProcess::run_container_hooks},
      {"working directory", &InitProcess::make_working_directory},
      {"terminal", &InitProcess::open_terminal},
      {"root", &InitProcess::pivot},
      {"kernel parameters", &InitProcess::write_sysctls},
      {"protect paths", &InitProcess::seal},
      {"process attributes", &InitProcess::set_attributes},
      {"stdio", &InitProcess::own_stdio},
      {"label", &InitProcess::set_labels},
      {"credentials", &InitProcess::drop_privileges},
      {"working directory", &InitProcess::enter_working_directory},
      {"program", &InitProcess::find_program},
      {"descriptors", &InitProcess::close_descriptors},
      {"program", &InitProcess::hand_over},
      {"start", &InitProcess::await_start},
      {"hooks", &InitProcess::run_start_hooks},
      {"program", &InitProcess::execute},
  });
  run_steps(kSteps);
}

InitProcess::InitProcess(InitContext& context, channel::Channel channel)
    : ContainerProcess(context.process, std::move(channel)),
      context_(context),
      plan_(context.plan),
      rootfs_(context.plan.rootfs, rootfs_options(context),
              context.process.shares_memory ? borrow(context.host_sources) : std::move(context.host_sources)) {}

Status InitProcess::enter_namespaces() {
  TRY(context_.namespaces.join(context_.spawn.join_in_child));
  if (context_.spawn.unshare_cgroup) {
    TRY(sys::unshare(CLONE_NEWCGROUP, "CLONE_NEWCGROUP"));
  }
  return {};
}

Status InitProcess::open_sources() {
  TRY(rootfs_.open_sources());
  if (plan_.namespaces.has(CLONE_NEWUSER)) {
    TRY(security::become_namespace_root(plan_.process.user.keep_groups));
    // A change of credentials takes the parent-death signal back.
    TRY(sys::die_with_parent());
  }
  if (context_.spawn.unshare_ipc) {
    TRY(sys::unshare(CLONE_NEWIPC, "CLONE_NEWIPC"));
  }
  return {};
}

Status InitProcess::join_keyring() {
  if (context_.options.no_new_keyring) {
    return {};
  }
  return security::join_session_keyring(plan_.process.selinux_label);
}

Status InitProcess::configure_network() {
  if (!plan_.namespaces.creates(static_cast<unsigned>(CLONE_NEWNET))) {
    return {};
  }
  return net::bring_up_loopback();
}

Status InitProcess::mount() {
  TRY(rootfs_.mount_all());
  proc_ = rootfs_.take_procfs();
  return rootfs_.make_devices();
}

Status InitProcess::run_runtime_hooks() {
  if (plan_.hooks.prestart.empty() && plan_.hooks.create_runtime.empty()) {
    return {};
  }
  TRY(channel_.send(channel::MessageType::kHooksWanted));
  if (!TRY(channel_.receive())) {
    ::_exit(kStatusOfFailure);
  }
  return {};
}

Status InitProcess::run_container_hooks() {
  if (plan_.hooks.create_container.empty()) {
    return {};
  }
  const std::string state = context_.options.state_document(host_pid_, "creating");
  return hooks::run(plan_.hooks.create_container, {.stage = "createContainer",
                                                   .state = state,
                                                   .output = context_.options.hook_output,
                                                   .errors = context_.options.hook_errors,
                                                   .exec = {}});
}

Status InitProcess::make_working_directory() {
  const std::string& cwd = plan_.process.cwd;
  if (cwd == "/") {
    return {};
  }
  auto found = rootfs_.root().open(cwd, O_PATH);
  if (found || !found.error().is(ENOENT)) {
    return {};  // whatever is wrong with it, entering it will say
  }
  auto made = rootfs_.root().make_directories(cwd, 0755);
  if (!made && !made.error().is(EROFS)) {
    return std::unexpected(std::move(made).error());
  }
  return {};
}

Status InitProcess::open_terminal() {
  if (!plan_.process.terminal) {
    return {};
  }
  terminal::Pty pty = TRY(terminal::open_pty(rootfs_.root(), plan_.process.console_size));
  TRY(rootfs_.bind_console(pty.slave.get()));
  TRY(terminal::use_as_stdio(pty.slave.get(), plan_.process.user.uid));
  TRY(terminal::control_by_stdin());
  terminal_ = std::move(pty.master);
  return {};
}

Status InitProcess::pivot() {
  return rootfs_.pivot();
}

Status InitProcess::write_sysctls() {
  TRY(ns::set_names(plan_.namespaces.hostname, plan_.namespaces.domainname));
  return ns::write_sysctls(plan_.namespaces.sysctls, proc_ ? &*proc_ : nullptr);
}

Status InitProcess::seal() {
  return rootfs_.seal();
}

Status InitProcess::close_descriptors() {
  return ContainerProcess::close_descriptors(
      {context_.options.start_socket, context_.options.hook_output, context_.options.hook_errors});
}

// Who is let into the pid namespace of a container that waits for `start` must not meet berth's binary there
// (CVE-2019-5736): its process is the trampoline before it is Ready.
Status InitProcess::hand_over() {
  if (!prepared_.trampoline_takes_over) {
    return {};
  }
  if (context_.options.start_socket >= 0) {
    return execute_through_trampoline(kSaysReady | kAwaitsCommit | kAwaitsStart, context_.options.start_socket);
  }
  TRY(say_ready());  // the supervisor has enough to do until the trampoline can listen
  return execute_through_trampoline(kAwaitsCommit);
}

Status InitProcess::await_start() {
  TRY(await_commit());
  if (context_.options.start_socket >= 0) {
    channel_.close();
    return await_start_connection();
  }
  return {};
}

Status InitProcess::await_start_connection() {
  while (!TRY(serve_start_connection())) {
  }
  return {};
}

Result<bool> InitProcess::serve_start_connection() {
  channel::Channel connection(TRY(sys::accept_connection(context_.options.start_socket)),
                              channel::Sequence(channel::Sequence::Begin::kStart));
  const int fd = connection.fd();
  if (!TRY(sys::wait_readable({&fd, 1}, kStartMessageTimeout))) {
    return false;
  }
  auto message = connection.receive();
  if (!message || !*message) {
    return false;
  }
  channel_ = std::move(connection);
  return true;
}

Status InitProcess::run_start_hooks() {
  if (plan_.hooks.start_container.empty()) {
    return {};
  }
  // It is under way from here on, however long they take: nobody else can start it, and `start` need not keep the lock.
  if (context_.options.start_socket >= 0) {
    TRY(sys::close_fds(static_cast<unsigned>(context_.options.start_socket),
                       static_cast<unsigned>(context_.options.start_socket)));
  }
  auto told = channel_.send(channel::MessageType::kStartHooks);
  if (!told && !told.error().is(EPIPE)) {
    return told;
  }
  const std::string state = context_.options.state_document(host_pid_, "created");
  // The hook is a program of the container's file system: it gets no more rights than the container's own, and
  // never sees this binary as its /proc/self/exe.
  const hooks::Exec exec = [this](const plan::Hook& hook) {
    std::vector<std::string> arguments = hook.args;
    if (arguments.empty()) {
      arguments.push_back(hook.path);
    }
    if (!prepared_.trampoline.valid()) {
      const ExecVectors vectors(std::move(arguments), hook.env);
      if (auto confined = confine(); !confined) {
        return std::move(confined).error();
      }
      ::execve(hook.path.c_str(), vectors.argv(), vectors.envp());
      return Error::system(errno, fmt::format("execve({})", hook.path));
    }
    const auto steps = steps_with_labels(kConfines);
    if (!steps) {
      return steps.error();
    }
    const ExecVectors vectors = trampoline_vectors(*steps, hook.path, {}, arguments, hook.env);
    return Error::system(exec_trampoline(prepared_.trampoline.get(), vectors), "execveat(trampoline)");
  };
  return hooks::run(plan_.hooks.start_container, {.stage = "startContainer",
                                                  .state = state,
                                                  .output = context_.options.hook_output,
                                                  .errors = context_.options.hook_errors,
                                                  .exec = exec});
}

}  // namespace berth::launch
