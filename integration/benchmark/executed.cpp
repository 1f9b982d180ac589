// executed FUNCTIONS PROGRAM ARGUMENT...: runs the program and prints which of the functions it executes, in its own
// process and in those that it makes. FUNCTIONS is a file with addresses in hexadecimal, one a line, relative to where
// the program's file is loaded; those that are executed are printed in the same form. What another program does after
// an exec does not count.
//
// Every function begins with a breakpoint, which is taken away when it is reached. integration/link-order makes of the
// result the order in which the linker lays out the code.
#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <string>

namespace {

using Address = std::uint64_t;

[[noreturn]] void fail(const std::string& what) {
  std::perror(what.c_str());
  std::exit(1);
}

std::string executable_of(pid_t pid) {
  char text[4096] = {};
  const ssize_t length = readlink(("/proc/" + std::to_string(pid) + "/exe").c_str(), text, sizeof text - 1);
  return length < 0 ? std::string() : std::string(text, static_cast<std::size_t>(length));
}

Address base_of(pid_t pid, const std::string& file) {
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.ends_with(file)) {
      return std::strtoull(line.c_str(), nullptr, 16);
    }
  }
  fail(file);
}

// The bytes of a stopped process.
class Memory {
 public:
  explicit Memory(pid_t pid) : fd_(open(("/proc/" + std::to_string(pid) + "/mem").c_str(), O_RDWR | O_CLOEXEC)) {}
  ~Memory() { close(fd_); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  [[nodiscard]] unsigned char read(Address place) const {
    unsigned char byte = 0;
    return pread(fd_, &byte, 1, static_cast<off_t>(place)) == 1 ? byte : 0;
  }
  void write(Address place, unsigned char byte) const {
    if (pwrite(fd_, &byte, 1, static_cast<off_t>(place)) != 1) {
      fail("write to the process");
    }
  }

 private:
  int fd_;
};

constexpr unsigned char kBreakpoint = 0xCC;

// The functions and what stands where they begin.
std::map<Address, unsigned char> functions;
std::set<Address> executed;

void set_breakpoints(pid_t pid, Address base) {
  const Memory memory(pid);
  for (auto& [place, byte] : functions) {
    byte = memory.read(base + place);
    memory.write(base + place, kBreakpoint);
  }
}

// Whether the process has stopped at one of ours.
bool take_breakpoint(pid_t pid, Address base) {
  user_regs_struct registers{};
  if (ptrace(PTRACE_GETREGS, pid, nullptr, &registers) < 0) {
    return false;
  }
  const auto function = functions.find(registers.rip - 1 - base);
  if (function == functions.end()) {
    return false;
  }
  executed.insert(function->first);
  Memory(pid).write(base + function->first, function->second);
  --registers.rip;
  return ptrace(PTRACE_SETREGS, pid, nullptr, &registers) == 0;
}

pid_t start(char** command) {
  const pid_t child = fork();
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    raise(SIGSTOP);
    execv(command[0], command);
    fail(command[0]);
  }
  int status = 0;
  constexpr long kOptions =
      PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
  if (waitpid(child, &status, 0) < 0 || ptrace(PTRACE_SETOPTIONS, child, nullptr, kOptions) < 0 ||
      ptrace(PTRACE_CONT, child, nullptr, nullptr) < 0) {
    fail("ptrace");
  }
  return child;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: executed FUNCTIONS PROGRAM ARGUMENT...\n", stderr);
    return 2;
  }
  std::ifstream list(argv[1]);
  for (std::string line; std::getline(list, line);) {
    functions[std::strtoull(line.c_str(), nullptr, 16)] = 0;
  }
  const pid_t first = start(argv + 2);
  std::string file;
  Address base = 0;
  int result = 1;
  int status = 0;
  for (pid_t pid = 0; (pid = waitpid(-1, &status, __WALL)) > 0;) {
    if (!WIFSTOPPED(status)) {
      result = pid == first ? status : result;
      continue;
    }
    const int event = status >> 16;
    int signal = event != 0 || WSTOPSIG(status) == SIGSTOP ? 0 : WSTOPSIG(status);
    if (event == PTRACE_EVENT_EXEC && file.empty()) {
      file = executable_of(pid);
      base = base_of(pid, file);
      set_breakpoints(pid, base);
    } else if (event == PTRACE_EVENT_EXEC) {  // also of the same file: a sealed self is at another address
      ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
      continue;
    } else if (signal == SIGTRAP && take_breakpoint(pid, base)) {
      signal = 0;
    }
    ptrace(PTRACE_CONT, pid, nullptr, signal);
  }
  for (const Address place : executed) {
    std::printf("%llx\n", static_cast<unsigned long long>(place));
  }
  return result == 0 ? 0 : 1;
}
