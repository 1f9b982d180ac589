#include "launch/init_process.hpp"

#include <berth/base/log.hpp>
#include <berth/hooks/run_hooks.hpp>
#include <berth/net/loopback.hpp>
#include <berth/procattr/attributes.hpp>
#include <berth/security/credentials.hpp>
#include <berth/security/keyring.hpp>
#include <berth/security/labels.hpp>
#include <berth/sys/file.hpp>
#include <berth/sys/process.hpp>
#include <berth/sys/socket.hpp>
#include <berth/terminal/pty.hpp>

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <exception>
#include <vector>

#include "launch/exec_program.hpp"
#include "launch/home_directory.hpp"
#include "launch/seccomp_listener.hpp"

namespace berth::launch {
namespace {

constexpr int kStatusOfFailure = 1;

// `start` says Start right after it connected; whoever connects and says nothing (a status query does) is dropped.
constexpr std::chrono::milliseconds kStartMessageTimeout{2000};

rootfs::Options rootfs_options(const InitContext& context) {
  return {.no_pivot = context.options.no_pivot,
          .mount_namespace = context.plan.namespaces.has(CLONE_NEWNS),
          .new_user_namespace = context.plan.namespaces.has(CLONE_NEWUSER),
          .cgroup_namespace = context.plan.namespaces.has(CLONE_NEWCGROUP),
          .cgroup_view = context.cgroup_view.hierarchies.empty() ? nullptr : &context.cgroup_view};
}

}  // namespace

// The order is the point of this file: each step needs what the one before did, or takes away what the ones before
// needed.
const std::span<const InitProcess::Step> InitProcess::kSteps = [] {
  static constexpr auto kAll = std::to_array<Step>({
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
      {"start", &InitProcess::await_start},
      {"hooks", &InitProcess::run_start_hooks},
      {"program", &InitProcess::execute},
  });
  return std::span<const Step>(kAll);
}();

InitProcess::InitProcess(InitContext& context, channel::Channel channel)
    : context_(context),
      plan_(context.plan),
      channel_(std::move(channel)),
      rootfs_(context.plan.rootfs, rootfs_options(context), std::move(context.host_sources)) {}

void InitProcess::run() noexcept {
  try {
    perform_steps();
  } catch (const std::exception& error) {
    // std::bad_alloc: the configuration's own RLIMIT_AS or RLIMIT_DATA counts already.
    channel_.send_failure(Error(ErrorKind::kSystem, fmt::format("set up the container's process: {}", error.what())));
  }
  ::_exit(kStatusOfFailure);
}

void InitProcess::perform_steps() {
  for (const Step& step : kSteps) {
    log::debug("step {}", step.name);
    if (auto done = (this->*step.perform)(); !done) {
      Error error = std::move(done).error();
      // An exec failure names the program already, and engines compare the beginning of the text.
      if (error.kind() != ErrorKind::kExec) {
        error.add_context(std::string(step.name));
      }
      channel_.send_failure(error);
      return;
    }
  }
}

Status InitProcess::await_proceed() {
  TRY(sys::die_with_parent());
  auto message = TRY(channel_.receive());
  if (!message) {
    ::_exit(kStatusOfFailure);  // the supervisor died: nobody is left to report to
  }
  const std::string& pid = message->payload;
  std::from_chars(pid.data(), pid.data() + pid.size(), host_pid_);
  // A session of its own: no job control of the caller's terminal, and no TIOCSTI into it (CVE-2017-5226).
  if (::setsid() < 0) {
    return sys_fail(errno, "setsid");
  }
  return {};
}

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
  return security::join_session_keyring(context_.options.id, plan_.process.selinux_label);
}

Status InitProcess::configure_network() {
  if (!plan_.namespaces.creates(static_cast<unsigned>(CLONE_NEWNET))) {
    return {};
  }
  return net::bring_up_loopback();
}

Status InitProcess::mount() {
  proc_ = TRY(path::ProcDir::open());
  TRY(rootfs_.mount_all(*proc_));
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
  terminal_ = std::move(pty.master);
  return {};
}

Status InitProcess::pivot() {
  return rootfs_.pivot();
}

Status InitProcess::write_sysctls() {
  TRY(ns::set_names(plan_.namespaces.hostname, plan_.namespaces.domainname));
  return ns::write_sysctls(plan_.namespaces.sysctls);
}

Status InitProcess::seal() {
  return rootfs_.seal();
}

Status InitProcess::set_attributes() {
  if (plan_.process.oom_score_adj) {
    TRY(procattr::set_oom_score(*proc_, *plan_.process.oom_score_adj));
  }
  return procattr::apply(plan_.process);
}

Status InitProcess::own_stdio() {
  // /dev/stdout must open for a container's user who is not root. Pipes and sockets are the caller's gift to the
  // container; files and devices of the host keep their owner (CVE-2026-88265).
  const uid_t uid = plan_.process.user.uid;
  if (uid == 0 || plan_.process.terminal) {
    return {};
  }
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    struct stat status {};
    if (::fstat(fd, &status) < 0 || !(S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode)) || status.st_uid == uid) {
      continue;
    }
    // EPERM: a pipe of an id that the container's user namespace does not map; it stays usable as a descriptor.
    if (::fchown(fd, uid, static_cast<gid_t>(-1)) < 0 && errno != EPERM && errno != EINVAL && errno != EROFS) {
      return sys_fail(errno, "chown(descriptor {}, {})", fd, uid);
    }
  }
  return {};
}

Status InitProcess::set_labels() {
  const plan::Process& process = plan_.process;
  if (process.selinux_label.empty() && process.apparmor_profile.empty()) {
    return {};
  }
  return security::set_exec_label(*proc_, process.selinux_label, process.apparmor_profile);
}

Status InitProcess::drop_privileges() {
  const plan::Process& process = plan_.process;
  const plan::Capabilities capabilities = process.capabilities.value_or(plan::Capabilities{});
  // Here as root, who may pass directories that the container's user may not; if even root may not, then below.
  working_directory_entered_ = ::chdir(process.cwd.c_str()) == 0;
  if (process.no_new_privileges) {
    TRY(sys::process_control(PR_SET_NO_NEW_PRIVS, 1, 0, "PR_SET_NO_NEW_PRIVS"));
  }
  // Without no_new_privs a filter needs CAP_SYS_ADMIN when it is loaded, which is as late as possible: the capability
  // stays until then, and goes with the last call before exec.
  constexpr std::uint64_t kAdmin = std::uint64_t{1} << CAP_SYS_ADMIN;
  filter_needs_admin_ = context_.filter != nullptr && !process.no_new_privileges;
  return security::apply_credentials(process.user, capabilities, filter_needs_admin_ ? kAdmin : 0);
}

Status InitProcess::enter_working_directory() {
  const std::string& cwd = plan_.process.cwd;
  if (!working_directory_entered_ && ::chdir(cwd.c_str()) < 0) {
    return sys_fail(errno, "chdir({})", cwd);
  }
  // CVE-2024-21626: through a magic link the directory could be one of the host. The kernel writes a path that the root
  // does not reach as "(unreachable)"; glibc's getcwd would hide that.
  std::array<char, 4096> path{};
  if (::syscall(SYS_getcwd, path.data(), path.size()) < 0) {
    return sys_fail(errno, "getcwd");
  }
  if (path.front() != '/') {
    return fail(ErrorKind::kConfig, "/process/cwd: {} is outside the container's root", cwd);
  }
  return {};
}

Status InitProcess::find_program() {
  program_ = TRY(launch::find_program(plan_.process.args.front(), plan_.process.env));
  return {};
}

Status InitProcess::close_descriptors() {
  TRY(reset_signals());
  proc_.reset();
  // From here on the log's descriptor is closed, and its number could be anything else.
  log::configure({.fd = -1, .level = log::Level::kError});
  // The supervisor took this long; what follows outlives it, unless it dies before it says Committed.
  TRY(sys::process_control(PR_SET_PDEATHSIG, 0, 0, "PR_SET_PDEATHSIG"));
  std::vector<int> kept = {channel_.fd()};
  for (const int fd : {context_.options.start_socket, context_.trampoline.get(), terminal_.get(),
                       context_.options.hook_output, context_.options.hook_errors}) {
    if (fd >= 0) {
      kept.push_back(fd);
    }
  }
  std::ranges::sort(kept);
  unsigned next = 3 + context_.options.preserve_fds;
  for (const int fd : kept) {
    const auto number = static_cast<unsigned>(fd);
    TRY(number > next ? sys::close_fds(next, number - 1) : Status());
    next = std::max(next, number + 1);
  }
  TRY(sys::close_fds(next, ~0U));
  for (unsigned fd = 3; fd < 3 + context_.options.preserve_fds; ++fd) {
    TRY_CONTEXT(sys::set_close_on_exec(static_cast<int>(fd), false), "--preserve-fds");
  }
  return {};
}

Status InitProcess::reset_signals() const {
  // Blocked and ignored signals survive execve(2), and the caller's (a script's, a nohup's) are not the container's.
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const std::string status = TRY(proc_->read("self/status"));
  constexpr std::string_view kField = "SigIgn:\t";
  const std::size_t begin = status.find(kField);
  std::uint64_t ignored = 0;
  if (begin == std::string::npos ||
      std::from_chars(status.data() + begin + kField.size(), status.data() + status.size(), ignored, 16).ec !=
          std::errc()) {
    return fail(ErrorKind::kSystem, "/proc/self/status says nothing of ignored signals");
  }
  for (int signal = 1; ignored != 0; ++signal, ignored >>= 1U) {
    if ((ignored & 1U) != 0) {
      ::signal(signal, SIG_DFL);
    }
  }
  return {};
}

Status InitProcess::await_start() {
  TRY(channel_.send(channel::MessageType::kReady, {}, terminal_.get()));
  terminal_.reset();
  auto committed = TRY(channel_.receive());
  if (!committed) {
    ::_exit(kStatusOfFailure);  // the supervisor died before the state was on disk: this container never was
  }
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
  const std::string state = context_.options.state_document(host_pid_, "created");
  // The hook is a program of the container's file system: it gets no more rights than the container's own, and
  // never sees this binary as its /proc/self/exe.
  const hooks::Exec exec = [this](const plan::Hook& hook) {
    std::vector<std::string> arguments = hook.args;
    if (arguments.empty()) {
      arguments.push_back(hook.path);
    }
    if (!context_.trampoline.valid()) {
      const ExecVectors vectors(std::move(arguments), hook.env);
      if (auto confined = confine(); !confined) {
        return std::move(confined).error();
      }
      ::execve(hook.path.c_str(), vectors.argv(), vectors.envp());
      return Error::system(errno, fmt::format("execve({})", hook.path));
    }
    std::vector<std::string> all = {"", hook.path};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const ExecVectors vectors(std::move(all), hook.env);
    if (auto confined = confine(); !confined) {
      return std::move(confined).error();
    }
    return Error::system(exec_trampoline(context_.trampoline.get(), vectors), "execveat(trampoline)");
  };
  return hooks::run(plan_.hooks.start_container, {.stage = "startContainer",
                                                  .state = state,
                                                  .output = context_.options.hook_output,
                                                  .errors = context_.options.hook_errors,
                                                  .exec = exec});
}

Status InitProcess::confine() const {
  if (context_.filter != nullptr) {
    TRY_CONTEXT(context_.filter->load(), "seccomp");
  }
  return drop_admin();
}

Status InitProcess::drop_admin() const {
  if (filter_needs_admin_) {
    TRY(security::finish_capabilities(plan_.process.capabilities.value_or(plan::Capabilities{})));
  }
  return {};
}

Status InitProcess::announce(std::string_view doubt, const std::optional<sys::SharedWord>& word) {
  auto announced =
      channel_.send(channel::MessageType::kExecuting, exec_announcement(program_, doubt), word ? word->fd() : -1);
  // EPIPE: a `start` that was killed after it said Start. The container was started all the same, unless there is a
  // listener that nobody is left to take.
  if (!announced && announced.error().is(EPIPE) && !word) {
    return {};
  }
  return announced;
}

Status InitProcess::execute() {
  std::vector<std::string> environment = plan_.process.env;
  const bool has_home = std::ranges::any_of(environment, [](const auto& entry) { return entry.starts_with("HOME="); });
  if (!has_home) {
    environment.push_back("HOME=" + home_directory());
  }
  const std::string doubt = suspicion(program_);
  const bool direct = !context_.trampoline.valid();
  const ExecVectors vectors = direct ? ExecVectors(plan_.process.args, environment)
                                     : trampoline_vectors(channel_.fd(), program_, plan_.process.args, environment);
  std::optional<sys::SharedWord> word;
  if (context_.filter != nullptr && context_.filter->notifies()) {
    word.emplace(TRY(sys::SharedWord::create()));
    // The supervisor may not have the right to copy a descriptor of a process that gave up its credentials. In a pid
    // namespace of its own nobody else is there who could profit, and exec sets this anew.
    if (plan_.namespaces.creates(static_cast<unsigned>(CLONE_NEWPID))) {
      TRY(sys::process_control(PR_SET_DUMPABLE, 1, 0, "PR_SET_DUMPABLE"));
    }
  }
  TRY(announce(doubt, word));
  if (!direct) {
    TRY(sys::set_close_on_exec(channel_.fd(), false));
  }
  // Nothing between here and exec but what the filter and the last capabilities need.
  if (word) {
    TRY_CONTEXT(load_and_offer(*context_.filter, *word), "seccomp");
    TRY(drop_admin());
  } else {
    TRY(confine());
  }
  if (direct) {
    ::execve(program_.c_str(), vectors.argv(), vectors.envp());
    return std::unexpected(exec_error(program_, errno, doubt));
  }
  const int errnum = exec_trampoline(context_.trampoline.get(), vectors);
  return sys_fail(errnum, "execveat(trampoline)");
}

std::string InitProcess::home_directory() const {
  return home_of(plan_.process.user.uid);
}

}  // namespace berth::launch
