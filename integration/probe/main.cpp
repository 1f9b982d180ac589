// The program of the containers that the integration tests start. Static, so that a root file system needs nothing
// else.
//
//   probe report [--try ATTEMPT] [--stat PATH] [--read PATH] [--list PATH]...   one JSON document
//   probe exit N | signal N | sleep [SECONDS] | spin | alloc BYTES | forks N | children N | orphan
//   probe trap SIGNAL...        announces "ready", prints the first of these signals that arrives and exits with 0
//   probe notify MESSAGE...     sends each to $NOTIFY_SOCKET and waits
//   probe watch DEVICE INODE TEXT   looks into every new process for what is the host's (see watch.cpp)
//   probe hold-exe              keeps /proc/1/exe by an O_PATH descriptor and tries for a second to open it for writing
//   probe seize                 tries to trace every new process (see seize.cpp)
//   probe write FILE [TEXT] | echo [TEXT...] | cat   stdin to stdout
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "report.hpp"

namespace {

using probe::JsonWriter;

constexpr const char* kFiles[] = {
    "/proc/self/status",        "/proc/self/mountinfo",      "/proc/self/cgroup",
    "/proc/self/oom_score_adj", "/proc/self/uid_map",        "/proc/self/gid_map",
    "/proc/self/setgroups",     "/proc/self/timens_offsets", "/proc/self/comm",
};

/// Reports `group` as an object of what `function` gives for each `option` of the command line.
template <class Function>
void report_group(JsonWriter& json, const char* group, const char* option, char** arguments, Function function) {
  json.key(group);
  json.begin_object();
  for (char** argument = arguments; argument[0] != nullptr && argument[1] != nullptr; ++argument) {
    if (std::strcmp(argument[0], option) == 0) {
      function(argument[1]);
    }
  }
  json.end_object();
}

int report(char** arguments, char** environment) {
  JsonWriter json(stdout);
  json.begin_object();
  probe::report_self(json, arguments, environment);
  json.key("files");
  json.begin_object();
  for (const char* path : kFiles) {
    probe::report_file(json, path);
  }
  for (char** argument = arguments; argument[0] != nullptr && argument[1] != nullptr; ++argument) {
    if (std::strcmp(argument[0], "--read") == 0) {
      probe::report_file(json, argument[1]);
    }
  }
  json.end_object();
  report_group(json, "stats", "--stat", arguments, [&](const char* path) { probe::report_stat(json, path); });
  report_group(json, "lists", "--list", arguments, [&](const char* path) { probe::report_directory(json, path); });
  report_group(json, "tries", "--try", arguments, [&](const char* what) { json.field(what, probe::attempt(what)); });
  json.end_object();
  std::fputc('\n', stdout);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

/// The first process of a pid namespace ignores signals of its own namespace that it has no handler for, SIGKILL
/// included; a child has to die instead there.
int die_by(int signal_number) {
  raise(signal_number);
  const pid_t child = fork();
  if (child == 0) {
    raise(signal_number);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : 99;
}

int trap(char** signals) {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (char** signal_number = signals; *signal_number != nullptr; ++signal_number) {
    sigaddset(&wanted, std::atoi(*signal_number));
  }
  sigprocmask(SIG_BLOCK, &wanted, nullptr);
  std::puts("ready");
  std::fflush(stdout);
  int got = 0;
  sigwait(&wanted, &got);
  std::printf("signal %d\n", got);
  return 0;
}

/// How many forks succeed out of `count`; the children wait until the end.
int forks(int count) {
  int made = 0;
  while (made < count) {
    const pid_t child = fork();
    if (child == 0) {
      pause();
      _exit(0);
    }
    if (child < 0) {
      break;
    }
    ++made;
  }
  const int error = made < count ? errno : 0;
  std::printf("{\"made\": %d, \"errno\": %d}\n", made, error);
  return 0;
}

/// Starts children that wait as this process does.
int children(int count) {
  for (int i = 0; i < count; ++i) {
    if (fork() == 0) {
      break;
    }
  }
  for (;;) {
    pause();
  }
}

/// A process whose parent ended reparents to pid 1 of the namespace, or to a subreaper outside of it.
int orphan() {
  if (fork() == 0) {
    if (fork() == 0) {
      usleep(50 * 1000);
      _exit(0);
    }
    _exit(0);
  }
  wait(nullptr);
  usleep(150 * 1000);
  return 0;
}

int allocate(std::size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    std::printf("errno %d\n", errno);
    return 1;
  }
  std::memset(memory, 1, bytes);
  std::puts("allocated");
  return 0;
}

int write_file(const char* path, const char* text) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) {
    std::fprintf(stderr, "%s: errno %d\n", path, errno);
    return 1;
  }
  const bool written = write(fd, text, std::strlen(text)) >= 0;
  close(fd);
  return written ? 0 : 1;
}

/// What CVE-2019-5736 does: the file cannot be opened for writing while it runs, but a descriptor outlives that.
int hold_executable() {
  const int held = open("/proc/1/exe", O_PATH | O_CLOEXEC);
  std::printf("held %d\n", held < 0 ? errno : 0);
  std::fflush(stdout);
  char path[64];
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", held);
  int error = 0;
  for (int turn = 0; held >= 0 && turn < 200; ++turn) {
    const int writable = open(path, O_WRONLY | O_CLOEXEC);
    // A sealed memory file may be opened for writing, but takes no byte. This one is what stands there already.
    const bool taken = writable >= 0 && pwrite(writable, "\x7f", 1, 0) == 1;
    error = errno;
    if (writable >= 0) {
      close(writable);
    }
    if (taken) {
      std::puts("writable");
      return 0;
    }
    usleep(5000);
  }
  std::printf("refused %d\n", error);
  return 0;
}

int echo(char** words) {
  for (char** word = words; *word != nullptr; ++word) {
    std::printf("%s%s", word == words ? "" : " ", *word);
  }
  std::puts("");
  return 0;
}

int copy_stdin() {
  char buffer[4096];
  for (;;) {
    const ssize_t got = read(0, buffer, sizeof buffer);
    if (got <= 0) {
      return got == 0 ? 0 : 1;
    }
    if (write(1, buffer, static_cast<std::size_t>(got)) != got) {
      return 1;
    }
  }
}

int wait_for_ever();

/// sd_notify_barrier(3): the message goes with a pipe, and whoever has seen all messages before it closes that.
int notify_barrier(int fd, const sockaddr_un& address) {
  int ends[2];
  if (pipe(ends) < 0) {
    return -1;
  }
  char text[] = "BARRIER=1";
  iovec data{text, sizeof text - 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  sockaddr_un to = address;
  msghdr message{&to, sizeof to, &data, 1, control, sizeof control, 0};
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &ends[1], sizeof(int));
  const ssize_t sent = sendmsg(fd, &message, 0);
  close(ends[1]);
  char nothing = 0;
  if (sent < 0 || read(ends[0], &nothing, 1) != 0) {
    return -1;
  }
  std::puts("passed");
  std::fflush(stdout);
  return 0;
}

/// sd_notify(3) of each message, then waits.
int notify(char** messages) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const char* path = std::getenv("NOTIFY_SOCKET");
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s", path != nullptr ? path : "");
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  for (char** message = messages; *message != nullptr; ++message) {
    const bool barrier = std::strcmp(*message, "BARRIER=1") == 0;
    const auto* to = reinterpret_cast<const sockaddr*>(&address);
    if ((barrier ? notify_barrier(fd, address) : sendto(fd, *message, std::strlen(*message), 0, to, sizeof address)) <
        0) {
      std::fprintf(stderr, "%s: errno %d\n", address.sun_path, errno);
      return 1;
    }
  }
  return wait_for_ever();
}

int wait_for_ever() {
  for (;;) {
    pause();
  }
}

}  // namespace

int main(int count, char** arguments, char** environment) {
  const char* command = count > 1 ? arguments[1] : "report";
  const char* first = count > 2 ? arguments[2] : nullptr;
  const auto is = [command](const char* name) { return std::strcmp(command, name) == 0; };
  if (is("report")) {
    return report(arguments, environment);
  }
  if (is("exit") && first != nullptr) {
    return std::atoi(first);
  }
  if (is("signal") && first != nullptr) {
    return die_by(std::atoi(first));
  }
  if (is("sleep")) {
    return first != nullptr ? (usleep(static_cast<useconds_t>(std::atof(first) * 1e6)), 0) : wait_for_ever();
  }
  if (is("spin")) {
    for (;;) {
      asm volatile("");  // a loop without any effect may be removed
    }
  }
  if (is("flood")) {
    // Output without end from a program that reads nothing; the interrupt key ends it.
    signal(SIGINT, [](int) { _exit(7); });
    for (;;) {
      if (write(STDOUT_FILENO, "flood\n", 6) < 0) {
        return 1;
      }
    }
  }
  if (is("watch") && count == 5) {
    return probe::watch(arguments + 2);
  }
  if (is("seize")) {
    return probe::seize();
  }
  if (is("notify")) {
    return notify(arguments + 2);
  }
  if (is("trap")) {
    return trap(arguments + 2);
  }
  if (is("alloc") && first != nullptr) {
    return allocate(std::strtoull(first, nullptr, 0));
  }
  if (is("forks") && first != nullptr) {
    return forks(std::atoi(first));
  }
  if (is("children") && first != nullptr) {
    return children(std::atoi(first));
  }
  if (is("orphan")) {
    return orphan();
  }
  if (is("write") && first != nullptr) {
    return write_file(first, count > 3 ? arguments[3] : "written\n");
  }
  if (is("hold-exe")) {
    return hold_executable();
  }
  if (is("echo")) {
    return echo(arguments + 2);
  }
  if (is("cat")) {
    return copy_stdin();
  }
  std::fprintf(stderr, "probe: no such command: %s\n", command);
  return 64;
}
