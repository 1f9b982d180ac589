// A process that tries to trace every other one of its pid namespace, and says what it was when that worked.
#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>

#include "report.hpp"

namespace probe {
namespace {

volatile sig_atomic_t told_to_end = 0;

std::string text_of(pid_t pid, const char* name) {
  const std::string path = "/proc/" + std::to_string(pid) + "/" + name;
  char text[4096];
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text);
  close(fd);
  return length < 0 ? std::string() : std::string(text, static_cast<std::size_t>(length));
}

// The program, and whether a filter confines it: "/probe filtered".
std::string describe(pid_t pid) {
  char link[256];
  const std::string path = "/proc/" + std::to_string(pid) + "/exe";
  const ssize_t length = readlink(path.c_str(), link, sizeof link);
  const bool filtered = text_of(pid, "status").find("Seccomp:\t2") != std::string::npos;
  return std::string(link, length < 0 ? 0 : static_cast<std::size_t>(length)) + (filtered ? " filtered" : " free");
}

}  // namespace

int seize() {
  signal(SIGUSR1, [](int) { told_to_end = 1; });
  std::puts("ready");
  std::fflush(stdout);
  std::set<std::string> found;
  std::set<pid_t> seen;
  unsigned turns = 0;
  for (pid_t last = getpid(); told_to_end == 0;) {
    if (++turns % 64 == 0) {
      last = last_pid();
    }
    // Pids are given one after the other.
    for (pid_t pid = last - 2; pid <= last + 3; ++pid) {
      if (pid == getpid() || seen.contains(pid) || ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) < 0) {
        continue;
      }
      seen.insert(pid);
      ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr);
      if (waitpid(pid, nullptr, __WALL) == pid) {
        if (const std::string what = describe(pid); what.front() == '/') {  // else it has ended meanwhile
          found.insert(what);
        }
        ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
      }
    }
  }
  for (const std::string& line : found) {
    std::puts(line.c_str());
  }
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace probe
