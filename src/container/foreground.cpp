#include "container/foreground.hpp"

#include <berth/base/log.hpp>
#include <berth/terminal/job_control.hpp>

#include <poll.h>
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

// The shell of the caller is to have its prompt, and the terminal its settings.
Status stop(std::optional<terminal::Relay>& relay) {
  if (relay) {
    relay->suspend();
  }
  terminal::stop_as_job(SIGTSTP);
  return relay ? relay->resume() : Status();
}

// What was sent to this process is for the container, but for what tells of this process' own children and terminal.
Status forward(int signal, const sys::Child& child, std::optional<terminal::Relay>& relay) {
  if (signal == SIGWINCH && relay) {
    return relay->resize();
  }
  // This process' own write failed, and says so itself; or its own terminal is others'.
  if (signal == SIGPIPE || signal == SIGTTIN || signal == SIGTTOU) {
    return {};
  }
  auto sent = child.pidfd().send_signal(signal);
  // ESRCH: it ended just now, as the next turn of the loop will see.
  if (!sent && !sent.error().is(ESRCH)) {
    return sent;
  }
  if (signal == SIGTSTP) {
    return stop(relay);
  }
  return signal == SIGCONT && relay ? relay->resume() : Status();
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
                                           std::optional<terminal::Relay>& relay, const NotifyProxy* notify) {
  constexpr short kReadable = POLLIN | POLLHUP | POLLERR;
  constexpr std::chrono::milliseconds kForegroundInterval{200};
  for (;;) {
    const bool pending = relay && relay->has_pending_input();
    std::array<pollfd, 5> polled = {{{.fd = signals.get(), .events = POLLIN, .revents = 0},
                                     {.fd = child.pidfd().get(), .events = POLLIN, .revents = 0},
                                     {.fd = relay ? relay->input_fd() : -1, .events = POLLIN, .revents = 0},
                                     {.fd = relay ? relay->master_fd() : -1,
                                      .events = static_cast<short>(pending ? POLLIN | POLLOUT : POLLIN),
                                      .revents = 0},
                                     {.fd = notify != nullptr ? notify->fd() : -1, .events = POLLIN, .revents = 0}}};
    const auto& [signal_events, process_events, input_events, terminal_events, notify_events] = polled;
    const bool in_background = relay && relay->in_background();
    TRY(sys::poll_events(polled, in_background ? kForegroundInterval : std::chrono::milliseconds(-1)));
    if (in_background) {
      TRY(relay->resume());
    }
    // Each of them in every turn: a program that writes without end must not keep signals and input away.
    if (signal_events.revents != 0) {
      const int signal = TRY(signals.read());
      TRY(forward(signal, child, relay));
    }
    if (input_events.revents != 0) {
      TRY(relay->forward_input());
    }
    if ((terminal_events.revents & POLLOUT) != 0) {
      TRY(relay->flush_input());
    }
    if ((terminal_events.revents & kReadable) != 0) {
      TRY(relay->forward_output());
    }
    if (notify_events.revents != 0) {
      TRY(notify->forward(child.pid()));
    }
    if (process_events.revents != 0) {
      const sys::ExitStatus status = TRY(child.reap());
      if (relay) {
        TRY(relay->drain_output());
      }
      return status;
    }
  }
}

}  // namespace berth::container
