// Things that a container may or may not be able to do, each answered by its errno.
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "report.hpp"

namespace probe {
namespace {

int outcome(long result) {
  return result < 0 ? errno : 0;
}

int open_with(const char* path, int flags) {
  const int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) {
    return errno;
  }
  close(fd);
  return 0;
}

// Runs an attempt that would change this process in a child, whose exit status is the errno.
template <class Function>
int in_child(Function function) {
  const pid_t child = fork();
  if (child < 0) {
    return errno;
  }
  if (child == 0) {
    _exit(function());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

// PATH,TYPE,MAJOR,MINOR: makes the node, opens it as well and removes it.
int make_node(const char* argument, bool then_open) {
  char path[256] = "";
  char type = 'c';
  unsigned major_number = 0;
  unsigned minor_number = 0;
  if (std::sscanf(argument, "%255[^,],%c,%u,%u", path, &type, &major_number, &minor_number) != 4) {
    return -1;
  }
  const mode_t mode = (type == 'b' ? S_IFBLK : S_IFCHR) | 0600U;
  if (mknod(path, mode, makedev(major_number, minor_number)) < 0) {
    return errno;
  }
  const int result = then_open ? open_with(path, O_RDONLY) : 0;
  unlink(path);
  return result;
}

int new_namespace(int flag) {
  return in_child([flag] { return outcome(unshare(flag)); });
}

int clone3_plain() {
  clone_args arguments{};
  arguments.exit_signal = SIGCHLD;
  const long child = syscall(SYS_clone3, &arguments, sizeof arguments);
  if (child == 0) {
    _exit(0);
  }
  const int result = outcome(child);
  if (child > 0) {
    waitpid(static_cast<pid_t>(child), nullptr, 0);
  }
  return result;
}

int session_keyring() {
  return in_child([] { return outcome(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr)); });
}

int set_personality(const char* argument) {
  const auto wanted = static_cast<unsigned long>(std::strtoull(argument, nullptr, 0));
  return in_child([wanted] { return outcome(syscall(SYS_personality, wanted)); });
}

// NUMBER: a system call with zero arguments, in a child, so that a kill by seccomp shows (256 + signal).
int raw_call(const char* argument) {
  const long number = std::strtol(argument, nullptr, 0);
  return in_child([number] { return outcome(syscall(number, 0, 0, 0, 0, 0, 0)); });
}

// NUMBER: through the 32-bit entry, which has numbers of its own. A kernel without it sends SIGSEGV.
int raw_call_32(const char* argument) {
  const int number = std::atoi(argument);
  return in_child([number] {
    int result = 0;
    asm volatile("int $0x80" : "=a"(result) : "a"(number), "b"(0), "c"(0), "d"(0) : "memory", "r8", "r9", "r10", "r11");
    return result < 0 ? -result : 0;
  });
}

int mount_tmpfs(const char* path) {
  if (mount("tmpfs", path, "tmpfs", 0, nullptr) < 0) {
    return errno;
  }
  umount(path);
  return 0;
}

int make_directory(const char* path) {
  if (mkdir(path, 0755) < 0) {
    return errno;
  }
  rmdir(path);
  return 0;
}

// A new file, which goes away again.
int create_file(const char* path) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) {
    return errno;
  }
  close(fd);
  unlink(path);
  return 0;
}

// PATH=TEXT
int write_text(const char* argument) {
  const char* equals = std::strchr(argument, '=');
  if (equals == nullptr) {
    return -1;
  }
  char path[512] = "";
  std::snprintf(path, sizeof path, "%.*s", static_cast<int>(equals - argument), argument);
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) {
    return errno;
  }
  const int result = outcome(write(fd, equals + 1, std::strlen(equals + 1)));
  close(fd);
  return result;
}

int execute(const char* path) {
  return in_child([path] {
    char* arguments[] = {const_cast<char*>(path), const_cast<char*>("exit"), const_cast<char*>("0"), nullptr};
    char* environment[] = {nullptr};
    execve(path, arguments, environment);
    return errno;
  });
}

int trace_child() {
  return in_child([] { return outcome(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr)); });
}

int set_hostname() {
  return in_child([] { return outcome(sethostname("changed", 7)); });
}

int raw_socket() {
  const int sock = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, 1 /* ICMP */);
  if (sock < 0) {
    return errno;
  }
  close(sock);
  return 0;
}

struct Attempt {
  const char* name;
  int (*function)(const char* argument);
};

constexpr Attempt kAttempts[] = {
    {"read", [](const char* path) { return open_with(path, O_RDONLY); }},
    {"write", [](const char* path) { return open_with(path, O_WRONLY); }},
    {"create", create_file},
    {"write-text", write_text},
    {"unlink", [](const char* path) { return outcome(unlink(path)); }},
    {"mkdir", make_directory},
    {"chmod", [](const char* path) { return outcome(chmod(path, 0755)); }},
    {"chown", [](const char* path) { return outcome(chown(path, 1, 1)); }},
    {"mknod", [](const char* argument) { return make_node(argument, false); }},
    {"mknod-open", [](const char* argument) { return make_node(argument, true); }},
    {"mount", mount_tmpfs},
    {"exec", execute},
    {"unshare-user", [](const char*) { return new_namespace(CLONE_NEWUSER); }},
    {"unshare-mount", [](const char*) { return new_namespace(CLONE_NEWNS); }},
    {"clone3", [](const char*) { return clone3_plain(); }},
    {"keyring", [](const char*) { return session_keyring(); }},
    {"personality", set_personality},
    {"ptrace", [](const char*) { return trace_child(); }},
    {"sethostname", [](const char*) { return set_hostname(); }},
    {"raw-socket", [](const char*) { return raw_socket(); }},
    {"syscall", raw_call},
    {"syscall32", raw_call_32},
    {"chroot", [](const char* path) { return in_child([path] { return outcome(chroot(path)); }); }},
    {"setuid", [](const char*) { return in_child([] { return outcome(setuid(4711)); }); }},
};

}  // namespace

int attempt(const char* attempt) {
  const char* colon = std::strchr(attempt, ':');
  const std::size_t size = colon != nullptr ? static_cast<std::size_t>(colon - attempt) : std::strlen(attempt);
  for (const Attempt& known : kAttempts) {
    if (std::strlen(known.name) == size && std::strncmp(known.name, attempt, size) == 0) {
      return known.function(colon != nullptr ? colon + 1 : "");
    }
  }
  return -1;
}

}  // namespace probe
