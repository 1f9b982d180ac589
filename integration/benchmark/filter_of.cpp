// filter_of PID: writes the newest seccomp filter of a process to stdout, as the kernel has it (struct sock_filter[]).
// The floor program loads the same filter as the runtimes that it is compared with.
#include <linux/filter.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

int main(int argc, char** argv) {
  const pid_t pid = argc == 2 ? std::atoi(argv[1]) : 0;
  if (pid <= 0 || ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) != 0 ||
      ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr) != 0 || waitpid(pid, nullptr, 0) != pid) {
    std::fprintf(stderr, "filter_of: process %d cannot be traced: %s\n", pid, std::strerror(errno));
    return 1;
  }
  const long size = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, nullptr, nullptr);
  std::vector<sock_filter> filter(size > 0 ? static_cast<std::size_t>(size) : 0);
  if (size <= 0 || ptrace(PTRACE_SECCOMP_GET_FILTER, pid, nullptr, filter.data()) != size) {
    std::fprintf(stderr, "filter_of: process %d has no filter that can be read: %s\n", pid, std::strerror(errno));
    return 1;
  }
  std::fwrite(filter.data(), sizeof(sock_filter), filter.size(), stdout);
}
