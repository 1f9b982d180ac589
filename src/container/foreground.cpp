#include "container/foreground.hpp"

#include <berth/base/log.hpp>

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <initializer_list>

namespace berth::container {
namespace {

Result<sys::UniqueFd> block(const sigset_t& signals) {
  if (::sigprocmask(SIG_BLOCK, &signals, nullptr) < 0) {
    return sys_fail(errno, "sigprocmask");
  }
  sys::UniqueFd fd(::signalfd(-1, &signals, SFD_CLOEXEC));
  if (!fd.valid()) {
    return sys_fail(errno, "signalfd");
  }
  return fd;
}

// What was sent to this process is for the container, but for what tells of this process' own children and terminal.
Status forward(int signal, const sys::Child& child, std::optional<terminal::Relay>& relay) {
  if (signal == SIGWINCH && relay) {
    return relay->resize();
  }
  if (signal == SIGPIPE) {
    return {};  // this process' own write failed, and says so itself
  }
  auto sent = child.pidfd().send_signal(signal);
  // ESRCH: it ended just now, as the next turn of the loop will see.
  return sent || sent.error().is(ESRCH) ? Status() : sent;
}

}  // namespace

Result<SignalFd> SignalFd::for_creation() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGTERM}) {
    ::sigaddset(&signals, signal);
  }
  return SignalFd(TRY(block(signals)));
}

Result<SignalFd> SignalFd::for_forwarding() {
  sigset_t signals;
  ::sigfillset(&signals);
  // Not blocked: faults of this process itself, and the end of its children.
  for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS, SIGCHLD}) {
    ::sigdelset(&signals, signal);
  }
  return SignalFd(TRY(block(signals)));
}

Result<int> SignalFd::read() const {
  signalfd_siginfo info{};
  if (::read(fd_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) {
    return sys_fail(errno, "read(signalfd)");
  }
  return static_cast<int>(info.ssi_signo);
}

Result<sys::ExitStatus> wait_in_foreground(sys::Child& child, const SignalFd& signals,
                                           std::optional<terminal::Relay>& relay) {
  for (;;) {
    const std::array<int, 4> fds = {signals.get(), relay ? relay->master_fd() : -1, relay ? relay->input_fd() : -1,
                                    child.pidfd().get()};
    const auto ready = TRY(sys::wait_readable(fds, std::chrono::milliseconds(-1)));
    switch (ready.value_or(fds.size())) {
      case 0: {
        const int signal = TRY(signals.read());
        TRY(forward(signal, child, relay));
        break;
      }
      case 1:
        TRY(relay->forward_output());
        break;
      case 2:
        TRY(relay->forward_input());
        break;
      default: {
        const sys::ExitStatus status = TRY(child.reap());
        if (relay) {
          TRY(relay->drain_output());
        }
        return status;
      }
    }
  }
}

}  // namespace berth::container
