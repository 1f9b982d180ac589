#include <berth/sys/memory.hpp>
#include <berth/sys/process.hpp>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

namespace berth::sys {

std::string ExitStatus::describe() const {
  if (signal != 0) {
    const char* name = ::sigabbrev_np(signal);
    return name != nullptr ? fmt::format("killed by SIG{}", name) : fmt::format("killed by signal {}", signal);
  }
  return fmt::format("exit status {}", code);
}

Result<Pidfd> Pidfd::open(pid_t pid) {
  const long fd = ::syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0) {
    return sys_fail(errno, "pidfd_open({})", pid);
  }
  return Pidfd(UniqueFd(static_cast<int>(fd)));
}

Status Pidfd::send_signal(int signal) const {
  if (::syscall(SYS_pidfd_send_signal, fd_.get(), signal, nullptr, 0) < 0) {
    return sys_fail(errno, "pidfd_send_signal({})", signal);
  }
  return {};
}

Result<bool> Pidfd::has_ended() const {
  return wait_ended(std::chrono::milliseconds(0));
}

Result<bool> Pidfd::wait_ended(std::chrono::milliseconds timeout) const {
  const int fd = fd_.get();
  return TRY(wait_readable({&fd, 1}, timeout)).has_value();
}

Result<UniqueFd> Pidfd::copy_descriptor(int fd) const {
  const long copy = ::syscall(SYS_pidfd_getfd, fd_.get(), fd, 0);
  if (copy < 0) {
    Error error = Error::system(errno, fmt::format("pidfd_getfd({})", fd));
    if (error.is(EPERM)) {
      error.add_hint("it needs CAP_SYS_PTRACE, or a container with a pid namespace of its own");
    }
    return std::unexpected(std::move(error));
  }
  return UniqueFd(static_cast<int>(copy));
}

Result<ExitStatus> Pidfd::reap() const {
  siginfo_t info{};
  int result = 0;
  do {
    result = ::waitid(P_PIDFD, static_cast<id_t>(fd_.get()), &info, WEXITED);
  } while (result < 0 && errno == EINTR);
  if (result < 0) {
    return sys_fail(errno, "waitid(P_PIDFD)");
  }
  ExitStatus status;
  if (info.si_code == CLD_EXITED) {
    status.code = info.si_status;
  } else {
    status.signal = info.si_status;
  }
  return status;
}

Child& Child::operator=(Child&& other) noexcept {
  if (this != &other) {
    kill_and_reap();
    process_ = std::exchange(other.process_, {});
  }
  return *this;
}

Result<ExitStatus> Child::reap() {
  auto status = process_.pidfd.reap();
  process_ = {};
  return status;
}

void Child::kill_and_reap() {
  if (!process_.pidfd.valid()) {
    return;
  }
  // Both fail only for a process that is gone already, which is what is wanted.
  static_cast<void>(process_.pidfd.send_signal(SIGKILL));
  static_cast<void>(process_.pidfd.reap());
  process_ = {};
}

ClonedProcess Child::release() {
  return std::exchange(process_, {});
}

Result<std::optional<ClonedProcess>> clone_process(std::uint64_t flags, int cgroup) {
  int pidfd = -1;
  clone_args arguments{};
  arguments.flags = flags | CLONE_PIDFD;
  arguments.pidfd = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(&pidfd));
  // clone3 refuses an exit signal with CLONE_PARENT: the new sibling uses this process's own.
  arguments.exit_signal = (flags & CLONE_PARENT) != 0 ? 0 : SIGCHLD;
  if (cgroup >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<unsigned>(cgroup);
  }
  const long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid < 0) {
    return sys_fail(errno, "clone3(flags {:#x})", arguments.flags);
  }
  if (pid == 0) {
    populate_code();
    return std::optional<ClonedProcess>();
  }
  return std::optional<ClonedProcess>(ClonedProcess{static_cast<pid_t>(pid), Pidfd(UniqueFd(pidfd))});
}

Status set_namespace(int fd, int flag, std::string_view name) {
  if (::setns(fd, flag) < 0) {
    return sys_fail(errno, "setns({})", name);
  }
  return {};
}

Status unshare(int flags, std::string_view name) {
  if (::unshare(flags) < 0) {
    return sys_fail(errno, "unshare({})", name);
  }
  return {};
}

Result<int> process_control(int option, unsigned long arg2, unsigned long arg3, std::string_view name) {
  const int result = ::prctl(option, arg2, arg3, 0UL, 0UL);
  if (result < 0) {
    return sys_fail(errno, "prctl({})", name);
  }
  return result;
}

Status set_undumpable() {
  TRY(process_control(PR_SET_DUMPABLE, 0, 0, "PR_SET_DUMPABLE"));
  return {};
}

Status die_with_parent() {
  TRY(process_control(PR_SET_PDEATHSIG, SIGKILL, 0, "PR_SET_PDEATHSIG"));
  return {};
}

pid_t own_pid() {
  return static_cast<pid_t>(::syscall(SYS_getpid));
}

Result<bool> poll_events(std::span<pollfd> polled, std::chrono::milliseconds timeout) {
  using Clock = std::chrono::steady_clock;
  const bool forever = timeout.count() < 0;
  const Clock::time_point end = forever ? Clock::time_point() : Clock::now() + timeout;
  for (;;) {
    std::int64_t wait = -1;
    if (!forever) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
      wait = std::clamp<std::int64_t>(left.count(), 0, std::numeric_limits<int>::max());
    }
    const int ready = ::poll(polled.data(), polled.size(), static_cast<int>(wait));
    if (ready >= 0) {
      return ready > 0;
    }
    if (errno != EINTR) {
      return sys_fail(errno, "poll");
    }
  }
}

Result<std::optional<std::size_t>> wait_readable(std::span<const int> fds, std::chrono::milliseconds timeout) {
  std::vector<pollfd> polled;
  polled.reserve(fds.size());
  for (const int fd : fds) {
    polled.push_back({.fd = fd, .events = POLLIN, .revents = 0});
  }
  TRY(poll_events(polled, timeout));
  const auto first = std::ranges::find_if(polled, [](const pollfd& entry) { return entry.revents != 0; });
  if (first == polled.end()) {
    return std::optional<std::size_t>();
  }
  return std::optional<std::size_t>(static_cast<std::size_t>(first - polled.begin()));
}

}  // namespace berth::sys
