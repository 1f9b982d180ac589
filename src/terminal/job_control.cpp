#include <berth/terminal/job_control.hpp>

#include <signal.h>
#include <time.h>
#include <unistd.h>

namespace berth::terminal {

bool is_foreground(int fd) {
  const pid_t foreground = ::tcgetpgrp(fd);
  return foreground < 0 || foreground == ::getpgrp();
}

void stop_as_job(int signal) {
  sigset_t stop;
  sigset_t before;
  ::sigemptyset(&stop);
  ::sigaddset(&stop, signal);
  static_cast<void>(::raise(signal));
  ::sigprocmask(SIG_UNBLOCK, &stop, &before);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
}

void await_foreground() {
  if (is_foreground(STDIN_FILENO)) {
    return;
  }
  // Blocked it waits here, and tells that the process had stopped.
  sigset_t continued;
  sigset_t before;
  ::sigemptyset(&continued);
  ::sigaddset(&continued, SIGCONT);
  ::sigprocmask(SIG_BLOCK, &continued, &before);
  const struct timespec at_once {};
  do {
    stop_as_job(SIGTTOU);
  } while (::sigtimedwait(&continued, nullptr, &at_once) == SIGCONT && !is_foreground(STDIN_FILENO));
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace berth::terminal
