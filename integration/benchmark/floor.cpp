// floor BUNDLE FILTER PROGRAM ARGUMENT...: what the kernel itself takes for the container of Docker's default
// configuration.
//
// Makes the system calls that such a container cannot do without, one after the other, and nothing else: no
// configuration is read, nothing is checked, nothing is undone after an error. It is the yardstick of the benchmark,
// not a runtime. FILTER is a file with the seccomp filter, ready to load (filter_of writes one).
#include <fcntl.h>
#include <grp.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "floor: %s: %s\n", what, std::strerror(errno));
  _exit(125);
}

void check(long result, const char* what) {
  if (result < 0) {
    fail(what);
  }
}

constexpr unsigned long kHidden = MS_NOSUID | MS_NOEXEC | MS_NODEV;
constexpr const char* kCgroup = "/sys/fs/cgroup/floor";

struct Node {
  const char* path;
  unsigned minor;
  unsigned major;
};
constexpr std::array kNodes{Node{"dev/null", 3, 1},   Node{"dev/zero", 5, 1},    Node{"dev/full", 7, 1},
                            Node{"dev/random", 8, 1}, Node{"dev/urandom", 9, 1}, Node{"dev/tty", 0, 5}};
struct Link {
  const char* target;
  const char* path;
};
constexpr std::array kLinks{Link{"/proc/self/fd", "dev/fd"},       Link{"/proc/self/fd/0", "dev/stdin"},
                            Link{"/proc/self/fd/1", "dev/stdout"}, Link{"/proc/self/fd/2", "dev/stderr"},
                            Link{"/proc/kcore", "dev/core"},       Link{"pts/ptmx", "dev/ptmx"}};
constexpr std::array kBound{"resolv.conf", "hostname", "hosts"};
constexpr std::array kMasked{"proc/acpi", "proc/asound", "proc/scsi", "sys/firmware"};
constexpr std::array kMaskedFiles{"proc/kcore", "proc/keys", "proc/latency_stats", "proc/timer_list",
                                  "proc/sched_debug"};
constexpr std::array kReadonly{"proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"};
constexpr std::array kCapabilities{
    CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FSETID,  CAP_FOWNER,           CAP_MKNOD,      CAP_NET_RAW, CAP_SETGID,
    CAP_SETUID, CAP_SETFCAP,      CAP_SETPCAP, CAP_NET_BIND_SERVICE, CAP_SYS_CHROOT, CAP_KILL,    CAP_AUDIT_WRITE};

void write_file(const char* path, const char* text) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  check(fd, path);
  check(write(fd, text, std::strlen(text)), path);
  close(fd);
}

// The device rules of a container on cgroup v2 are a program; the smallest one lets everything pass.
void attach_device_program(int cgroup) {
  const std::array<bpf_insn, 2> program{bpf_insn{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1},
                                        bpf_insn{BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
  bpf_attr load{};
  load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  load.insn_cnt = program.size();
  load.insns = reinterpret_cast<std::uintptr_t>(program.data());
  load.license = reinterpret_cast<std::uintptr_t>("Apache-2.0");
  const long fd = syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));
  check(fd, "bpf: load");
  bpf_attr attach{};
  attach.target_fd = static_cast<std::uint32_t>(cgroup);
  attach.attach_bpf_fd = static_cast<std::uint32_t>(fd);
  attach.attach_type = BPF_CGROUP_DEVICE;
  attach.attach_flags = BPF_F_ALLOW_MULTI;
  check(syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof(attach)), "bpf: attach");
  close(static_cast<int>(fd));
}

void mount_everything(const char* bundle) {
  std::array<char, 4096> path{};
  check(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "mount: private");
  check(chdir(bundle), bundle);
  check(mount("rootfs", "rootfs", nullptr, MS_BIND | MS_REC, nullptr), "mount: rootfs");
  check(chdir("rootfs"), "rootfs");
  check(mount("proc", "proc", "proc", kHidden, nullptr), "proc");
  check(mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"), "dev");
  for (const char* directory : {"dev/pts", "dev/mqueue", "dev/shm"}) {
    check(mkdir(directory, 0755), directory);
  }
  check(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"),
        "dev/pts");
  check(mount("sysfs", "sys", "sysfs", kHidden | MS_RDONLY, nullptr), "sys");
  std::snprintf(path.data(), path.size(), "%s", kCgroup);
  check(mount(path.data(), "sys/fs/cgroup", nullptr, MS_BIND, nullptr), "sys/fs/cgroup");
  check(mount(nullptr, "sys/fs/cgroup", nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY | kHidden, nullptr), "sys/fs/cgroup");
  check(mount("mqueue", "dev/mqueue", "mqueue", kHidden, nullptr), "dev/mqueue");
  check(mount("shm", "dev/shm", "tmpfs", kHidden, "mode=1777,size=67108864"), "dev/shm");
  for (const char* name : kBound) {
    std::snprintf(path.data(), path.size(), "etc/%s", name);
    const int target = open(path.data(), O_CREAT | O_RDONLY | O_CLOEXEC, 0644);
    check(target, path.data());
    close(target);
    std::array<char, 4096> source{};
    std::snprintf(source.data(), source.size(), "../files/%s", name);
    check(mount(source.data(), path.data(), nullptr, MS_BIND | MS_REC, nullptr), path.data());
    check(mount(nullptr, path.data(), nullptr, MS_PRIVATE | MS_REC, nullptr), path.data());
  }
  for (const auto& node : kNodes) {
    check(mknod(node.path, S_IFCHR | 0666, makedev(node.major, node.minor)), node.path);
  }
  for (const auto& link : kLinks) {
    check(symlink(link.target, link.path), link.path);
  }
}

void pivot_and_hide() {
  check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
  check(umount2(".", MNT_DETACH), "umount");
  check(chdir("/"), "/");
  write_file("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
  write_file("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
  check(sethostname("box", 3), "sethostname");
  for (const char* path : kReadonly) {
    if (mount(path, path, nullptr, MS_BIND | MS_REC, nullptr) == 0) {
      check(mount(nullptr, path, nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY | kHidden, nullptr), path);
    }
  }
  for (const char* path : kMaskedFiles) {
    mount("dev/null", path, nullptr, MS_BIND, nullptr);  // not every kernel has every file
  }
  const char* first = nullptr;
  for (const char* path : kMasked) {
    if (first == nullptr ? mount("tmpfs", path, "tmpfs", MS_RDONLY, "nr_blocks=1,nr_inodes=1") == 0
                         : mount(first, path, nullptr, MS_BIND, nullptr) == 0) {
      first = path;
    }
  }
}

void bring_loopback_up() {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  check(fd, "socket");
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  check(ioctl(fd, SIOCSIFFLAGS, &request), "lo");
  close(fd);
}

void drop_privileges(sock_fprog* filter) {
  std::uint64_t kept = 0;
  for (const int capability : kCapabilities) {
    kept |= std::uint64_t{1} << capability;
  }
  for (unsigned capability = 0; capability <= CAP_LAST_CAP; ++capability) {
    if ((kept >> capability & 1) == 0) {
      check(prctl(PR_CAPBSET_DROP, capability, 0, 0, 0), "PR_CAPBSET_DROP");
    }
  }
  const gid_t group = 0;
  check(setgroups(1, &group), "setgroups");
  check(setresgid(0, 0, 0), "setresgid");
  check(setresuid(0, 0, 0), "setresuid");
  check(syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC), "close_range");
  check(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, filter), "seccomp");
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> sets{};
  for (unsigned half = 0; half < 2; ++half) {
    sets[half].permitted = sets[half].effective = static_cast<std::uint32_t>(kept >> (32 * half));
  }
  check(syscall(SYS_capset, &header, sets.data()), "capset");
}

}  // namespace

int main(int argc, char** argv) {
  static std::array<sock_filter, BPF_MAXINSNS> instructions;
  if (argc < 4) {
    std::fputs("usage: floor BUNDLE FILTER PROGRAM ARGUMENT...\n", stderr);
    return 125;
  }
  const int file = open(argv[2], O_RDONLY | O_CLOEXEC);
  check(file, argv[2]);
  const auto size = read(file, instructions.data(), sizeof(instructions));
  check(size, argv[2]);
  close(file);
  sock_fprog filter{static_cast<unsigned short>(static_cast<std::size_t>(size) / sizeof(sock_filter)),
                    instructions.data()};

  check(mkdir(kCgroup, 0755), kCgroup);
  const int cgroup = open(kCgroup, O_PATH | O_DIRECTORY | O_CLOEXEC);
  check(cgroup, kCgroup);
  const int readable = open(kCgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  attach_device_program(readable);

  int pidfd = -1;
  clone_args arguments{};
  arguments.flags =
      CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_PIDFD | CLONE_INTO_CGROUP;
  arguments.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  arguments.cgroup = static_cast<__u64>(cgroup);
  const long child = syscall(SYS_clone3, &arguments, sizeof(arguments));
  check(child, "clone3");
  if (child == 0) {
    bring_loopback_up();
    mount_everything(argv[1]);
    pivot_and_hide();
    drop_privileges(&filter);
    execv(argv[3], argv + 3);
    fail(argv[3]);
  }
  int status = 0;
  check(waitpid(static_cast<pid_t>(child), &status, 0), "waitpid");
  check(rmdir(kCgroup), "rmdir");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
