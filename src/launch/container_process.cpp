#include "launch/container_process.hpp"

#include <berth/procattr/attributes.hpp>
#include <berth/security/credentials.hpp>
#include <berth/security/labels.hpp>
#include <berth/sys/file.hpp>
#include <berth/sys/process.hpp>
#include <berth/sys/signal.hpp>

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <vector>

#include "launch/exec_program.hpp"
#include "launch/home_directory.hpp"
#include "launch/seccomp_listener.hpp"
#include "launch/trampoline.h"

namespace berth::launch {
namespace {

// What the kernel says of the trampoline's exec is about the program's arguments too: they are the same.
Status trampoline_refused(int errnum, const std::string& program) {
  return errnum == E2BIG || errnum == ENOMEM ? Status(std::unexpected(exec_error(program, errnum, {})))
                                             : Status(sys_fail(errnum, "execveat(trampoline)"));
}

}  // namespace

void ContainerProcess::report(Error error, std::string_view step) {
  // An exec failure names the program already, and engines compare the beginning of the text.
  if (error.kind() != ErrorKind::kExec) {
    error.add_context(std::string(step));
  }
  channel_.send_failure(error);
}

Status ContainerProcess::await_proceed() {
  TRY(sys::die_with_parent());
  if (prepared_.shares_memory) {
    TRY(channel_.count_as_said(channel::MessageType::kProceed));
  } else {
    auto message = TRY(channel_.receive());
    if (!message) {
      ::_exit(kStatusOfFailure);  // the supervisor died: nobody is left to report to
    }
    const std::string& pid = message->payload;
    std::from_chars(pid.data(), pid.data() + pid.size(), host_pid_);
  }
  // A session of its own: no job control of the caller's terminal, and no TIOCSTI into it (CVE-2017-5226).
  if (::setsid() < 0) {
    return sys_fail(errno, "setsid");
  }
  return {};
}

Status ContainerProcess::need_procfs() {
  if (!proc_) {
    proc_ = TRY(path::ProcDir::open());
  }
  return {};
}

Status ContainerProcess::set_attributes() {
  if (process_.oom_score_adj) {
    TRY(need_procfs());
    TRY(procattr::set_oom_score(*proc_, *process_.oom_score_adj));
  }
  return procattr::apply(process_);
}

// NOLINTNEXTLINE(readability-make-member-function-const): a step
Status ContainerProcess::own_stdio() {
  // /dev/stdout must open for a container's user who is not root. Pipes and sockets are the caller's gift to the
  // container; files and devices of the host keep their owner (CVE-2026-88265).
  const uid_t uid = process_.user.uid;
  if (uid == 0 || process_.terminal) {
    return {};
  }
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    struct stat status {};
    if (::fstat(fd, &status) < 0 || (!S_ISFIFO(status.st_mode) && !S_ISSOCK(status.st_mode)) || status.st_uid == uid) {
      continue;
    }
    // EPERM: a pipe of an id that the container's user namespace does not map; it stays usable as a descriptor.
    if (::fchown(fd, uid, static_cast<gid_t>(-1)) < 0 && errno != EPERM && errno != EINVAL && errno != EROFS) {
      return sys_fail(errno, "chown(descriptor {}, {})", fd, uid);
    }
  }
  return {};
}

Status ContainerProcess::set_labels() {
  if (process_.selinux_label.empty() && process_.apparmor_profile.empty()) {
    return {};
  }
  TRY(need_procfs());
  auto labels = security::exec_labels(*proc_, process_.selinux_label, process_.apparmor_profile);
  if (!prepared_.trampoline.valid()) {
    return security::set_exec_labels(*proc_, labels);
  }
  labels_ = std::move(labels);
  return {};
}

Status ContainerProcess::drop_privileges() {
  if (labels_.empty()) {
    // From here on paths of the container's are followed, which /proc/self/fd could lead through it.
    proc_.reset();
  }
  const plan::Capabilities capabilities = process_.capabilities.value_or(plan::Capabilities{});
  // Here as root, who may pass directories that the container's user may not; if even root may not, then below.
  working_directory_entered_ = ::chdir(process_.cwd.c_str()) == 0;
  if (process_.no_new_privileges) {
    TRY(sys::process_control(PR_SET_NO_NEW_PRIVS, 1, 0, "PR_SET_NO_NEW_PRIVS"));
  }
  constexpr std::uint64_t kAdmin = std::uint64_t{1} << CAP_SYS_ADMIN;
  TRY(security::apply_credentials(
      process_.user, capabilities,
      {.capabilities = prepared_.filter_needs_admin ? kAdmin : 0, .over_exec = prepared_.trampoline_confines()}));
  // A change of the user makes the process dumpable where the sysctl fs.suid_dumpable says so.
  return sys::set_undumpable();
}

// NOLINTNEXTLINE(readability-make-member-function-const): a step
Status ContainerProcess::enter_working_directory() {
  const std::string& cwd = process_.cwd;
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

Status ContainerProcess::find_program() {
  program_ = TRY(launch::find_program(process_.args.front(), process_.env));
  return {};
}

Status ContainerProcess::keep_descriptors(std::vector<int> needed) {
  // The log's is closed from here on, and its number could be anything else.
  log::configure({.fd = -1, .level = log::Level::kError});
  needed.push_back(channel_.fd());
  return sys::close_fds_except(prepared_.passed.end(), std::move(needed));
}

Status ContainerProcess::close_descriptors(std::initializer_list<int> also) {
  trace::stop();
  // Blocked and ignored signals survive execve(2), and the caller's (a script's, a nohup's) are not the container's.
  sys::reset_signals();
  // The supervisor took this long; what follows outlives it, unless it dies before it says Committed.
  TRY(sys::process_control(PR_SET_PDEATHSIG, 0, 0, "PR_SET_PDEATHSIG"));
  std::vector<int> needed = {prepared_.trampoline.get(), terminal_.get(), proc_ ? proc_->fd() : -1};
  needed.insert(needed.end(), also);
  TRY(keep_descriptors(needed));
  for (unsigned fd = PassedDescriptors::kFirst; fd < prepared_.passed.end(); ++fd) {
    TRY_CONTEXT(sys::set_close_on_exec(static_cast<int>(fd), false), "descriptor {} to pass on", fd);
  }
  return {};
}

Status ContainerProcess::say_ready() {
  TRY(channel_.send(channel::MessageType::kReady, {}, terminal_.get()));
  terminal_.reset();
  return {};
}

Status ContainerProcess::await_commit() {
  TRY(say_ready());
  if (!TRY(channel_.receive())) {
    ::_exit(kStatusOfFailure);  // the supervisor died before anybody knew of this process
  }
  return {};
}

Status ContainerProcess::confine() const {
  if (prepared_.filter != nullptr) {
    TRY_CONTEXT(prepared_.filter->load(), "seccomp");
  }
  return drop_admin();
}

Status ContainerProcess::drop_admin() const {
  if (prepared_.filter_needs_admin) {
    TRY(security::finish_capabilities(process_.capabilities.value_or(plan::Capabilities{})));
  }
  return {};
}

std::vector<std::string> ContainerProcess::environment(std::string_view pid) const {
  std::vector<std::string> environment = process_.env;
  const auto has = [&environment](std::string_view name) {
    return std::ranges::any_of(environment, [name](const std::string& entry) { return entry.starts_with(name); });
  };
  if (!has("HOME=")) {
    environment.push_back("HOME=" + home_of(process_.user.uid));
  }
  const PassedDescriptors& passed = prepared_.passed;
  if (passed.listen != 0) {
    environment.push_back(fmt::format("LISTEN_FDS={}", passed.listen));
    environment.push_back(fmt::format("LISTEN_PID={}", pid));
    if (!passed.listen_names.empty()) {
      environment.push_back("LISTEN_FDNAMES=" + passed.listen_names);
    }
  }
  return environment;
}

Status ContainerProcess::execute() {
  return prepared_.notifies ? execute_under_listener() : execute_through_trampoline(0);
}

Status ContainerProcess::execute_under_listener() {
  const std::string doubt = suspicion(program_);
  sys::SharedWord word = TRY(sys::SharedWord::create());
  // The supervisor may not have the right to copy a descriptor of a process that gave up its credentials. In a pid
  // namespace of its own nobody else is there who could profit, and exec sets this anew.
  if (prepared_.is_first) {
    TRY(sys::process_control(PR_SET_DUMPABLE, 1, 0, "PR_SET_DUMPABLE"));
  }
  const bool direct = !prepared_.trampoline.valid();
  const TrampolineSteps steps{.channel = channel_.fd()};
  const std::vector<std::string> variables = environment(std::to_string(sys::own_pid()));
  const ExecVectors vectors = direct ? ExecVectors(process_.args, variables)
                                     : trampoline_vectors(steps, program_, doubt, process_.args, variables);
  TRY(channel_.send(channel::MessageType::kExecuting, exec_announcement(program_, doubt), word.fd()));
  if (!direct) {
    TRY(sys::set_close_on_exec(channel_.fd(), false));
  }
  // Nothing between here and exec but what the filter and the last capabilities need.
  TRY_CONTEXT(load_and_offer(*prepared_.filter, word), "seccomp");
  TRY(drop_admin());
  if (direct) {
    ::execve(program_.c_str(), vectors.argv(), vectors.envp());
    return std::unexpected(exec_error(program_, errno, doubt));
  }
  return trampoline_refused(exec_trampoline(prepared_.trampoline.get(), vectors), program_);
}

Result<TrampolineSteps> ContainerProcess::steps_with_labels(unsigned phases) const {
  TrampolineSteps steps{.phases = phases};
  if (!labels_.empty()) {
    steps.procfs = proc_->fd();
    steps.labels = labels_;
    TRY(sys::set_close_on_exec(steps.procfs, false));
  }
  return steps;
}

Status ContainerProcess::execute_through_trampoline(unsigned phases, int start_socket) {
  TrampolineSteps steps = TRY(steps_with_labels(phases | kAnnounces | kConfines));
  steps.channel = channel_.fd();
  steps.terminal = terminal_.get();
  steps.start_socket = start_socket;
  // Room for the pid that a process has after kForks.
  const std::vector<std::string> variables =
      environment((phases & kWritesListenPid) != 0 ? "2147483647" : std::to_string(sys::own_pid()));
  const ExecVectors vectors = trampoline_vectors(steps, program_, suspicion(program_), process_.args, variables);
  for (const int fd : {steps.channel, steps.terminal, steps.start_socket}) {
    TRY(fd >= 0 ? sys::set_close_on_exec(fd, false) : Status());
  }
  return trampoline_refused(exec_trampoline(prepared_.trampoline.get(), vectors), program_);
}

}  // namespace berth::launch
