#include <berth/sys/file.hpp>
#include <berth/sys/signal.hpp>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

namespace berth::sys {

namespace {

// Until adopt_signals() knows better, each of them may be.
std::uint64_t ignored_signals = ~std::uint64_t{0};

}  // namespace

Status adopt_signals() {
  ::signal(SIGCHLD, SIG_DFL);
  constexpr std::size_t kMaxStatus = 64 * 1024;
  constexpr std::string_view kField = "SigIgn:\t";
  const std::string status = TRY(read_file(AT_FDCWD, "/proc/self/status", kMaxStatus));
  const std::size_t begin = status.find(kField);
  if (begin == std::string::npos ||
      std::from_chars(status.data() + begin + kField.size(), status.data() + status.size(), ignored_signals, 16).ec !=
          std::errc()) {
    return fail(ErrorKind::kSystem, "/proc/self/status says nothing of ignored signals");
  }
  return {};
}

void reset_signals() {
  for (int signal = 1; signal < NSIG; ++signal) {
    if ((ignored_signals >> (signal - 1) & 1U) != 0) {
      // Refused for SIGKILL, SIGSTOP and the two that the C library keeps to itself.
      ::signal(signal, SIG_DFL);
    }
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
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
