#include <berth/base/trace.hpp>
#include <berth/container/exec.hpp>
#include <berth/launch/exec.hpp>
#include <berth/launch/sealed_self.hpp>
#include <berth/plan/lower.hpp>
#include <berth/security/credentials.hpp>
#include <berth/spec/parse.hpp>
#include <berth/sys/file.hpp>
#include <berth/terminal/job_control.hpp>

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>

#include "container/exec_flags.hpp"
#include "container/foreground.hpp"
#include "container/handover.hpp"
#include "container/observation.hpp"
#include "container/process_identity.hpp"

namespace berth::container {
namespace {

constexpr std::size_t kMaxProcess = std::size_t{16} * 1024 * 1024;

// A container that may be joined, kept as it is by the lock.
struct Target {
  ContainerDirectory directory;
  spec::Record record;
  cgroup::Placement placement;
  sys::Pidfd init;
};

Result<Target> open_target(const StateStore& store, const ExecRequest& request) {
  ContainerDirectory directory = TRY(store.lock(request.id, LockKind::kShared));
  auto record = TRY(directory.load());
  if (!record || !record->committed) {
    Error error(ErrorKind::kState, "container not running");
    return std::unexpected(std::move(error.add_hint("its creation was interrupted: delete it with --force")));
  }
  auto init = TRY(find_process(*record));
  if (!init) {
    return fail(ErrorKind::kState, "cannot exec in a stopped container");
  }
  cgroup::Placement placement = placement_of(*record);
  if (TRY(cgroup::Cgroup::open(placement).frozen())) {
    if (!request.ignore_paused) {
      return fail(ErrorKind::kState, "cannot exec in a paused container (use --ignore-paused to override)");
    }
    TRY(directory.unlock());  // for whoever resumes it
  }
  return Target{std::move(directory), std::move(*record), std::move(placement), std::move(*init)};
}

struct Execution {
  plan::ContainerPlan plan;
  std::string user_name;
  std::optional<std::int64_t> memory_limit;  ///< that the container was made with
};

Result<Execution> plan_execution(const ExecRequest& request, const ContainerDirectory& directory) {
  const std::string text = TRY(directory.load_config());
  spec::Config config = TRY_CONTEXT(spec::parse_config(text), "configuration of the container");
  if (!request.process_file.empty()) {
    const std::string process = TRY_CONTEXT(sys::read_file(AT_FDCWD, request.process_file, kMaxProcess), "--process");
    config.process = TRY_CONTEXT(spec::parse_process(process), "--process {}", request.process_file);
  } else {
    if (request.flags.args.empty()) {
      return fail(ErrorKind::kUsage, "expected a program after the container's id, or --process");
    }
    // The terminal and its size are those of the container's first process.
    config.process->terminal = false;
    config.process->console_size.reset();
  }
  ProcessFlags flags = request.flags;
  if (!request.process_file.empty()) {
    flags.args.clear();  // the document has them, as in runc and crun
  }
  Execution execution;
  execution.user_name = TRY(apply_flags(flags, *config.process));
  const plan::HostFacts facts{
      .capabilities = TRY(security::known_capabilities()), .euid = ::geteuid(), .rootless = request.rootless};
  execution.plan = TRY(plan::lower_exec(config, facts));
  if (config.linux) {
    execution.memory_limit = config.linux->resources.memory.limit;
  }
  return execution;
}

Result<launch::LaunchedProcess> launch_process(const ExecRequest& request, const Target& target, Execution execution,
                                               const SignalFd& signals, std::string filter_cache) {
  launch::ExecOptions options;
  options.namespaces = execution.plan.namespaces.all();
  options.user_name = std::move(execution.user_name);
  options.no_new_keyring = target.record.no_new_keyring;
  options.filter_cache = std::move(filter_cache);
  options.passed = request.passed;
  options.interrupt_fd = signals.get();
  // From there on `delete` ends the process with the container. It has the lock's descriptor until it comes to closing
  // it, which is never where somebody has frozen the cgroup meanwhile: who resumes it must not wait for that.
  options.placed = [&target] { return target.directory.unlock(); };
  options.at_once = !execution.plan.process.terminal && request.pidfd_socket.empty();
  if (!execution.plan.namespaces.has(CLONE_NEWNS)) {
    options.root = TRY(sys::open_at(AT_FDCWD, fmt::format("/proc/{}/root", target.record.pid), O_PATH | O_DIRECTORY));
    if (TRY(target.init.has_ended())) {  // else the number, and with it the root, could be another process's
      return fail(ErrorKind::kState, "cannot exec in a stopped container");
    }
  }
  std::optional<rdt::Groups> groups;
  if (execution.plan.intel_rdt || !target.record.rdt_directories.empty()) {  // which `update` may have made
    groups = TRY(rdt::groups_of(execution.plan.intel_rdt.value_or(plan::IntelRdt()), request.id));
    options.rdt = &*groups;
  }
  cgroup::Cgroup cgroup = cgroup::Cgroup::open(TRY(cgroup::placement_below(target.placement, request.cgroups)));
  // Looked at once more, as late as can be: not only `pause` freezes cgroups.
  options.may_share_memory =
      !request.ignore_paused && launch::has_room(execution.memory_limit) && !TRY(cgroup.frozen());
  auto launched = launch::exec(execution.plan, target.init, cgroup, options);
  if (launched || !launched.error().is(EBUSY) || !request.cgroups.empty()) {
    return launched;
  }
  // On cgroup2 a cgroup whose children have controllers takes no process any more. The container has moved its own into
  // one of them then, as systemd does.
  cgroup = cgroup::Cgroup::open(TRY(cgroup::placement_beside(target.placement, target.record.pid)));
  options.may_share_memory = false;
  return launch::exec(execution.plan, target.init, cgroup, options);
}

struct Prepared {
  Target target;
  Execution execution;
};

Result<Prepared> prepare(const StateStore& store, const ExecRequest& request) {
  std::optional<trace::Span> span(std::in_place, "container");
  Target target = TRY(open_target(store, request));
  span.emplace("configuration");
  Execution execution = TRY(plan_execution(request, target.directory));
  TRY(check_terminal(execution.plan.process, request.console_socket, request.detach));
  return Prepared{std::move(target), std::move(execution)};
}

// Other commands do not wait until a shell brings this one to the foreground; what they did meanwhile counts.
Result<Prepared> prepare_in_foreground(const StateStore& store, const ExecRequest& request) {
  {
    Prepared prepared = TRY(prepare(store, request));
    if (!prepared.execution.plan.process.terminal || !request.console_socket.empty() ||
        terminal::is_foreground(STDIN_FILENO)) {
      return prepared;
    }
  }
  terminal::await_foreground();
  return prepare(store, request);
}

// Whether processes of the container can look at one that still is this program (CVE-2019-5736): they see it before it
// is the trampoline if they are not in a pid namespace of their own, and what else berth has to do itself comes after
// it is in theirs.
bool needs_sealed_self(const plan::ContainerPlan& plan) {
  return !plan.namespaces.creates(static_cast<unsigned>(CLONE_NEWPID)) ||
         (plan.seccomp && !plan.seccomp->listener_path.empty());
}

// Lets the process execute its program. What the caller is told comes after that, but for what the program may use.
Status commit(const ExecRequest& request, const spec::Record& record, launch::LaunchedProcess& process) {
  TRY(send_pidfd(request.pidfd_socket, "--pidfd-socket", process.pidfd()));
  TRY(process.commit(false, seccomp_receiver(record, process.pid())));
  return write_pid_file(request.pid_file, process.pid());
}

}  // namespace

Result<int> exec(const StateStore& store, const ExecRequest& request) {
  TRY(check_id(request.id));
  TRY(take_descriptors(request.passed));
  auto [target, execution] = TRY(prepare_in_foreground(store, request));
  if (needs_sealed_self(execution.plan)) {
    TRY(launch::ensure_sealed_self(request.argv));
  }
  const plan::Process process = execution.plan.process;
  const SignalFd signals = TRY(SignalFd::for_forwarding());
  std::optional<trace::Span> span(std::in_place, "launch");
  launch::LaunchedProcess launched =
      TRY(launch_process(request, target, std::move(execution), signals, store.filter_cache()));
  std::optional<terminal::Relay> relay =
      TRY(connect_terminal(launched.take_terminal(), request.console_socket, process.console_size.has_value()));
  span.emplace("commit");
  TRY(commit(request, target.record, launched));
  span.reset();
  if (request.detach) {
    static_cast<void>(launched.child().release());
    return 0;
  }
  span.emplace("the program runs");
  const sys::ExitStatus status = TRY(wait_in_foreground(launched.child(), signals, relay));
  return status.shell_status();
}

}  // namespace berth::container
