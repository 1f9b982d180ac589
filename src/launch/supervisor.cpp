#include <berth/base/trace.hpp>
#include <berth/hooks/run_hooks.hpp>
#include <berth/launch/supervisor.hpp>
#include <berth/sys/socket.hpp>

#include <sched.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "launch/exec_program.hpp"
#include "launch/host_sources.hpp"
#include "launch/seccomp_listener.hpp"
#include "launch/spawn.hpp"
#include "launch/trampoline.hpp"

namespace berth::launch {
namespace {

Status run_hooks(const plan::ContainerPlan& plan, const LaunchOptions& options, pid_t pid) {
  const std::string state = options.state_document(pid, "creating");
  hooks::Options how{.stage = "prestart",
                     .state = state,
                     .output = options.hook_output,
                     .errors = options.hook_errors,
                     .exec = {},
                     .interrupt_fd = options.interrupt_fd};
  TRY(hooks::run(plan.hooks.prestart, how));
  how.stage = "createRuntime";
  return hooks::run(plan.hooks.create_runtime, how);
}

Error interruption(int interrupt_fd) {
  signalfd_siginfo signal{};
  if (::read(interrupt_fd, &signal, sizeof signal) != static_cast<ssize_t>(sizeof signal)) {
    return Error::system(errno, "read(signalfd)");
  }
  const char* name = ::sigabbrev_np(static_cast<int>(signal.ssi_signo));
  return {ErrorKind::kSystem, fmt::format("interrupted by SIG{}", name != nullptr ? name : "?")};
}

}  // namespace

Result<std::optional<channel::Message>> receive(channel::Channel& channel, const ExecAnnouncement& announcement) {
  auto message = TRY(channel.receive());
  if (message && message->type == channel::MessageType::kTrampolineFailed) {
    return std::unexpected(trampoline_error(message->payload, announcement));
  }
  return message;
}

Status await_message(const channel::Channel& channel, int interrupt_fd) {
  const std::array<int, 2> fds = {channel.fd(), interrupt_fd};
  const auto readable = TRY(sys::wait_readable(fds, std::chrono::milliseconds(-1)));
  return readable == std::size_t{1} ? Status(std::unexpected(interruption(interrupt_fd))) : Status();
}

Result<sys::UniqueFd> await_ready(channel::Channel& channel, sys::Child& child, int interrupt_fd,
                                  const std::function<Status()>& run_hooks) {
  for (;;) {
    TRY(await_message(channel, interrupt_fd));
    auto message = TRY(receive(channel));
    if (!message) {
      return std::unexpected(death_error(child));
    }
    if (message->type == channel::MessageType::kReady) {
      return message->fds.empty() ? sys::UniqueFd() : std::move(message->fds.front());
    }
    TRY(run_hooks());
    TRY(channel.send(channel::MessageType::kHooksDone));
  }
}

Result<ProcessContext> make_process_context(const plan::Process& process, const security::FilterProgram* filter,
                                            const PassedDescriptors& passed) {
  ProcessContext context{.process = process, .filter = filter, .trampoline = {}, .passed = passed};
  // Without no_new_privs a filter needs CAP_SYS_ADMIN when it is loaded, which is as late as possible: the capability
  // stays until then, and goes with the last call before exec.
  context.filter_needs_admin = filter != nullptr && !process.no_new_privileges;
  context.notifies = filter != nullptr && filter->notifies();
  // A label is for the next exec. The trampoline writes it, but not under a filter that is loaded before it: then the
  // next exec must be that of the program; see ensure_sealed_self.
  if (!context.notifies || (process.selinux_label.empty() && process.apparmor_profile.empty())) {
    context.trampoline =
        TRY(make_trampoline(filter, process.capabilities.value_or(plan::Capabilities{}), context.filter_needs_admin));
    context.trampoline_takes_over = context.trampoline_confines();
  }
  return context;
}

Status await_exec(channel::Channel& channel, const sys::Pidfd& pidfd, const SeccompReceiver& receiver,
                  const std::function<Status()>& hooks_begin) {
  ExecAnnouncement announcement;
  bool executing = false;
  for (;;) {
    auto message = TRY(receive(channel, announcement));
    if (!message) {
      break;
    }
    if (message->type == channel::MessageType::kStartHooks) {
      TRY(hooks_begin ? hooks_begin() : Status());
      continue;
    }
    executing = true;
    announcement = read_exec_announcement(message->payload);
    if (!message->fds.empty()) {
      TRY(serve_listener(std::move(message->fds.front()), channel, pidfd, receiver));
    }
  }
  if (!executing) {
    static_cast<void>(pidfd.wait_ended(std::chrono::milliseconds(1000)));
    return fail(ErrorKind::kSystem, "the container's process died before it executed its program");
  }
  return {};
}

Status LaunchedProcess::commit(bool waits_for_start, const SeccompReceiver& receiver) {
  auto sent = committed_ ? Status() : channel_.send(channel::MessageType::kCommitted);
  if (!sent && sent.error().is(EPIPE)) {
    // It ended on its way from Ready to its trampoline, and has said why.
    return await_exec(channel_, child_.pidfd(), receiver);
  }
  TRY(std::move(sent));
  if (waits_for_start) {
    channel_.close();
  } else {
    const trace::Span span("wait until the program is executed");
    TRY(await_exec(channel_, child_.pidfd(), receiver));
  }
  devices_.keep();
  return {};
}

Result<LaunchedProcess> launch(const plan::ContainerPlan& plan, cgroup::Cgroup& cgroup, const LaunchOptions& options) {
  std::optional<security::FilterProgram> filter;
  if (plan.seccomp) {
    const trace::Span span("seccomp filter");
    filter = TRY_CONTEXT(security::FilterProgram::compile(*plan.seccomp, options.filter_cache), "seccomp");
  }
  const ns::SpawnPlan spawn_plan = ns::plan_spawn(plan.namespaces);
  const ns::NamespaceSet namespaces = TRY(ns::NamespaceSet::open(plan.namespaces.joined));
  const cgroup::View cgroup_view = TRY(cgroup::view(cgroup.placement()));
  // Whoever has the ids and the capabilities of a process may trace it and open its /proc files: the new one's once it
  // has given up what the container must not have, when those of a joined pid namespace, and of any container in the
  // host's, can take its descriptors (CVE-2016-9962) and its executable, which is the host's file (CVE-2019-5736).
  // Before the clone, so that there is no moment in which they can. An unprivileged user could not write the id maps of
  // such a process; the user namespace, which is a new one then, keeps the others away.
  if (!plan.namespaces.joined.empty() || ::geteuid() == 0) {
    TRY(sys::set_undumpable());
  }
  InitContext context{.plan = plan,
                      .options = options,
                      .spawn = spawn_plan,
                      .namespaces = namespaces,
                      .cgroup_view = cgroup_view,
                      .process = TRY(make_process_context(plan.process, filter ? &*filter : nullptr, options.passed)),
                      .host_sources = TRY(open_host_sources(plan.rootfs, namespaces.descriptor(CLONE_NEWUSER)))};
  // Their end is what the announcement waits for, and they are run here.
  context.process.trampoline_takes_over = context.process.trampoline_takes_over && plan.hooks.start_container.empty();
  context.process.is_first = plan.namespaces.creates(static_cast<unsigned>(CLONE_NEWPID));
  sys::SocketPair sockets = TRY(sys::SocketPair::create());
  channel::Channel channel(std::move(sockets.first));
  net::MovedDevices devices;
  sys::Child child = TRY(spawn(context, cgroup, channel, std::move(sockets.second), devices));
  const trace::Span span("wait until the process is ready");
  sys::UniqueFd terminal =
      TRY(await_ready(channel, child, options.interrupt_fd, [&] { return run_hooks(plan, options, child.pid()); }));
  return LaunchedProcess(std::move(devices), std::move(child), std::move(channel), std::move(terminal));
}

}  // namespace berth::launch
