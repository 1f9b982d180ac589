// What a process can see of itself. Files are passed on as they are: the tests understand them.
#include "report.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cerrno>
#include <climits>
#include <cstring>
#include <ctime>
#include <net/if.h>

namespace probe {
namespace {

const char* file_type(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return "file";
    case S_IFDIR:
      return "directory";
    case S_IFLNK:
      return "link";
    case S_IFCHR:
      return "char";
    case S_IFBLK:
      return "block";
    case S_IFIFO:
      return "fifo";
    case S_IFSOCK:
      return "socket";
    default:
      return "?";
  }
}

void report_identity(JsonWriter& json) {
  json.field("pid", getpid());
  json.field("ppid", getppid());
  json.field("sid", getsid(0));
  json.field("pgid", getpgid(0));

  uid_t uids[3] = {};
  gid_t gids[3] = {};
  getresuid(&uids[0], &uids[1], &uids[2]);
  getresgid(&gids[0], &gids[1], &gids[2]);
  json.key("uids");
  json.begin_array();
  for (const uid_t uid : uids) {
    json.number(uid);
  }
  json.end_array();
  json.key("gids");
  json.begin_array();
  for (const gid_t gid : gids) {
    json.number(gid);
  }
  json.end_array();

  gid_t groups[1024];
  const int count = getgroups(1024, groups);
  json.key("groups");
  json.begin_array();
  for (int i = 0; i < count; ++i) {
    json.number(groups[i]);
  }
  json.end_array();

  const mode_t mask = umask(0);
  umask(mask);
  json.field("umask", mask);
}

void report_strings(JsonWriter& json, const char* name, char** strings) {
  json.key(name);
  json.begin_array();
  for (char** string = strings; *string != nullptr; ++string) {
    json.string(*string);
  }
  json.end_array();
}

// The raw call, because glibc hides a working directory outside the root ("(unreachable)") behind ENOENT.
void report_cwd(JsonWriter& json) {
  char path[PATH_MAX];
  const long size = syscall(SYS_getcwd, path, sizeof path);
  if (size < 0) {
    json.field("cwd", errno);
  } else {
    json.field("cwd", path);
  }
}

void report_uts(JsonWriter& json) {
  utsname names{};
  uname(&names);
  json.field("hostname", names.nodename);
  json.field("domainname", names.domainname);
  json.field("machine", names.machine);
}

void report_prctl(JsonWriter& json) {
  int death_signal = 0;
  int subreaper = 0;
  prctl(PR_GET_PDEATHSIG, &death_signal);
  prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
  json.field("dumpable", prctl(PR_GET_DUMPABLE));
  json.field("no_new_privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  json.field("keep_caps", prctl(PR_GET_KEEPCAPS));
  json.field("securebits", prctl(PR_GET_SECUREBITS));
  json.field("death_signal", death_signal);
  json.field("subreaper", subreaper);
}

void report_rlimits(JsonWriter& json) {
  static const struct {
    const char* name;
    int resource;
  } kLimits[] = {
      {"RLIMIT_AS", RLIMIT_AS},
      {"RLIMIT_CORE", RLIMIT_CORE},
      {"RLIMIT_CPU", RLIMIT_CPU},
      {"RLIMIT_DATA", RLIMIT_DATA},
      {"RLIMIT_FSIZE", RLIMIT_FSIZE},
      {"RLIMIT_LOCKS", RLIMIT_LOCKS},
      {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
      {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
      {"RLIMIT_NICE", RLIMIT_NICE},
      {"RLIMIT_NOFILE", RLIMIT_NOFILE},
      {"RLIMIT_NPROC", RLIMIT_NPROC},
      {"RLIMIT_RSS", RLIMIT_RSS},
      {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
      {"RLIMIT_RTTIME", RLIMIT_RTTIME},
      {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
      {"RLIMIT_STACK", RLIMIT_STACK},
  };
  json.key("rlimits");
  json.begin_object();
  for (const auto& limit : kLimits) {
    rlimit value{};
    syscall(SYS_prlimit64, 0, limit.resource, nullptr, &value);
    json.key(limit.name);
    json.begin_array();
    json.unsigned_number(value.rlim_cur);
    json.unsigned_number(value.rlim_max);
    json.end_array();
  }
  json.end_object();
}

void report_link(JsonWriter& json, const char* name, const char* path) {
  char target[PATH_MAX];
  const ssize_t size = readlink(path, target, sizeof target);
  json.key(name);
  if (size < 0) {
    json.number(errno);
  } else {
    json.string(target, static_cast<std::size_t>(size));
  }
}

void report_namespaces(JsonWriter& json) {
  static const char* const kKinds[] = {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"};
  json.key("namespaces");
  json.begin_object();
  for (const char* kind : kKinds) {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/self/ns/%s", kind);
    report_link(json, kind, path);
  }
  json.end_object();
}

void report_fds(JsonWriter& json) {
  json.key("fds");
  json.begin_object();
  for (int fd = 0; fd < 1024; ++fd) {
    const int flags = fcntl(fd, F_GETFD);
    if (flags < 0) {
      continue;
    }
    char number[16];
    char path[64];
    struct stat info {};
    std::snprintf(number, sizeof number, "%d", fd);
    std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    fstat(fd, &info);
    json.key(number);
    json.begin_object();
    report_link(json, "link", path);
    json.field("type", file_type(info.st_mode));
    json.field("uid", info.st_uid);
    json.field("dev", static_cast<long long>(info.st_dev));
    json.field("ino", static_cast<long long>(info.st_ino));
    json.flag("close_on_exec", (flags & FD_CLOEXEC) != 0);
    json.end_object();
  }
  json.end_object();
}

void report_terminal(JsonWriter& json) {
  json.key("terminal");
  json.begin_object();
  json.flag("stdin_is_terminal", isatty(0) == 1);
  winsize size{};
  if (ioctl(0, TIOCGWINSZ, &size) == 0) {
    json.field("rows", size.ws_row);
    json.field("columns", size.ws_col);
  }
  const int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
  json.field("controlling_tty", tty < 0 ? errno : 0);
  if (tty >= 0) {
    close(tty);
  }
  json.end_object();
}

void report_scheduling(JsonWriter& json) {
  sched_param parameters{};
  sched_getparam(0, &parameters);
  json.key("scheduling");
  json.begin_object();
  json.field("policy", sched_getscheduler(0));
  json.field("priority", parameters.sched_priority);
  errno = 0;
  json.field("nice", getpriority(PRIO_PROCESS, 0));
  json.field("io_priority", syscall(SYS_ioprio_get, 1 /* IOPRIO_WHO_PROCESS */, 0));
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  sched_getaffinity(0, sizeof cpus, &cpus);
  json.key("cpus");
  json.begin_array();
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &cpus)) {
      json.number(static_cast<long long>(cpu));
    }
  }
  json.end_array();
  json.end_object();
  json.field("personality", personality(0xffffffff));
}

void report_keyring(JsonWriter& json) {
  json.key("keyring");
  json.begin_object();
  const long id = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
  json.field("id", id < 0 ? -errno : id);
  char description[512] = "";
  if (id >= 0 && syscall(SYS_keyctl, KEYCTL_DESCRIBE, KEY_SPEC_SESSION_KEYRING, description, sizeof description) < 0) {
    std::snprintf(description, sizeof description, "errno %d", errno);
  }
  json.field("description", description);
  json.end_object();
}

void report_loopback(JsonWriter& json) {
  const int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  json.key("loopback");
  json.begin_object();
  if (sock < 0 || ioctl(sock, SIOCGIFFLAGS, &request) < 0) {
    json.field("errno", errno);
  } else {
    json.flag("up", (request.ifr_flags & IFF_UP) != 0);
    json.flag("running", (request.ifr_flags & IFF_RUNNING) != 0);
    char address[INET_ADDRSTRLEN] = "";
    if (ioctl(sock, SIOCGIFADDR, &request) == 0) {
      const void* raw = &reinterpret_cast<const sockaddr_in*>(&request.ifr_addr)->sin_addr;
      inet_ntop(AF_INET, raw, address, sizeof address);
    }
    json.field("address", address);
  }
  json.end_object();
  if (sock >= 0) {
    close(sock);
  }
}

void report_clocks(JsonWriter& json) {
  timespec monotonic{};
  timespec boottime{};
  clock_gettime(CLOCK_MONOTONIC, &monotonic);
  clock_gettime(CLOCK_BOOTTIME, &boottime);
  json.key("clocks");
  json.begin_object();
  json.field("monotonic", monotonic.tv_sec);
  json.field("boottime", boottime.tv_sec);
  json.end_object();
}

// Extended attributes whose values are text.
void report_attributes(JsonWriter& json, const char* path) {
  char names[4096];
  const ssize_t length = llistxattr(path, names, sizeof names);
  json.key("attributes");
  json.begin_object();
  for (const char* name = names; name < names + length; name += std::strlen(name) + 1) {
    char value[1024] = {};
    lgetxattr(path, name, value, sizeof value - 1);
    json.field(name, value);
  }
  json.end_object();
}

}  // namespace

void report_stat(JsonWriter& json, const char* path) {
  struct stat info {};
  json.key(path);
  if (lstat(path, &info) < 0) {
    json.number(errno);
    return;
  }
  json.begin_object();
  json.field("type", file_type(info.st_mode));
  json.field("mode", info.st_mode & 07777);
  json.field("uid", info.st_uid);
  json.field("gid", info.st_gid);
  json.field("size", info.st_size);
  json.field("modified", info.st_mtim.tv_sec);
  report_attributes(json, path);
  json.field("dev", static_cast<long long>(info.st_dev));
  if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) {
    json.field("major", major(info.st_rdev));
    json.field("minor", minor(info.st_rdev));
  }
  if (S_ISLNK(info.st_mode)) {
    report_link(json, "target", path);
  }
  json.end_object();
}

void report_directory(JsonWriter& json, const char* path) {
  json.key(path);
  DIR* directory = opendir(path);
  if (directory == nullptr) {
    json.number(errno);
    return;
  }
  json.begin_object();
  while (const dirent* entry = readdir(directory)) {
    if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) {
      continue;
    }
    char full[PATH_MAX];
    std::snprintf(full, sizeof full, "%s/%s", path, entry->d_name);
    json.key(entry->d_name);
    json.begin_object();
    report_stat(json, full);
    json.end_object();
  }
  json.end_object();
  closedir(directory);
}

void report_file(JsonWriter& json, const char* path) {
  static char content[1 << 18];
  json.key(path);
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    json.number(errno);
    return;
  }
  std::size_t size = 0;
  while (size < sizeof content) {
    const ssize_t got = read(fd, content + size, sizeof content - size);
    if (got < 0 && size == 0) {
      json.number(errno);
      close(fd);
      return;
    }
    if (got <= 0) {
      break;
    }
    size += static_cast<std::size_t>(got);
  }
  close(fd);
  json.string(content, size);
}

void report_self(JsonWriter& json, char** arguments, char** environment) {
  report_fds(json);  // first: nothing of our own is open yet
  report_identity(json);
  report_strings(json, "args", arguments);
  report_strings(json, "env", environment);
  report_cwd(json);
  report_uts(json);
  report_prctl(json);
  report_rlimits(json);
  report_link(json, "exe", "/proc/self/exe");
  report_namespaces(json);
  report_terminal(json);
  report_scheduling(json);
  report_keyring(json);
  report_loopback(json);
  report_clocks(json);
}

}  // namespace probe
