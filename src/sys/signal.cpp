#include <berth/sys/signal.hpp>

#include <signal.h>
#include <unistd.h>

#include <cerrno>

namespace berth::sys {

void reset_signals() {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) {
    // Refused for SIGKILL, SIGSTOP and the two that the C library keeps to itself.
    ::sigaction(signal, &action, nullptr);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void keep_child_statuses() {
  ::signal(SIGCHLD, SIG_DFL);
}

Status lead_process_group(pid_t process) {
  if (::setpgid(process, 0) < 0) {
    return sys_fail(errno, "setpgid({})", process);
  }
  return {};
}

Status kill_process_group(pid_t group) {
  if (::kill(-group, SIGKILL) < 0) {
    return sys_fail(errno, "kill(process group {}, SIGKILL)", group);
  }
  return {};
}

}  // namespace berth::sys
