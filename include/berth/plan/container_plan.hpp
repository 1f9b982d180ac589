// What a container will get, with every value in the kernel's terms. Made by lower() from a configuration that was
// found valid, read by the features; nothing in it is text that still has to be understood.
#pragma once

#include <berth/spec/config.hpp>
#include <berth/spec/hook.hpp>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/types.h>
#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace berth::plan {

// ---------------------------------------------------------------------------------------------- namespaces

/// One entry of a uid or gid map (user_namespaces(7)).
struct IdMapping {
  std::uint32_t container_id = 0;
  std::uint32_t host_id = 0;
  std::uint32_t size = 0;
  friend bool operator==(const IdMapping&, const IdMapping&) = default;
};

/// A namespace that exists already (`path` of linux.namespaces).
struct JoinedNamespace {
  int flag = 0;  ///< one CLONE_NEW*
  std::string path;
};

/// linux.timeOffsets: what is added to a clock in the new time namespace.
struct TimeOffset {
  std::string clock;  ///< as /proc/PID/timens_offsets writes it: "monotonic" or "boottime"
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
};

struct Sysctl {
  std::string path;  ///< below /proc/sys, with slashes: net/ipv4/ping_group_range
  std::string value;
};

struct Namespaces {
  std::uint64_t created = 0;  ///< CLONE_NEW* of the namespaces to create
  std::vector<JoinedNamespace> joined;
  std::vector<IdMapping> uid_mappings;
  std::vector<IdMapping> gid_mappings;
  std::vector<TimeOffset> time_offsets;
  std::vector<Sysctl> sysctls;
  std::string hostname;
  std::string domainname;

  [[nodiscard]] bool creates(std::uint64_t flag) const { return (created & flag) != 0; }
  [[nodiscard]] bool joins(int flag) const {
    for (const JoinedNamespace& joined_namespace : joined) {
      if (joined_namespace.flag == flag) {
        return true;
      }
    }
    return false;
  }
  /// CLONE_NEW* of all that the container has of its own, new or joined.
  [[nodiscard]] std::uint64_t all() const {
    std::uint64_t flags = created;
    for (const JoinedNamespace& joined_namespace : joined) {
      flags |= static_cast<unsigned>(joined_namespace.flag);
    }
    return flags;
  }
  /// Whether the container has its own namespace of this kind, new or joined.
  [[nodiscard]] bool has(int flag) const { return creates(static_cast<std::uint64_t>(flag)) || joins(flag); }
};

// ---------------------------------------------------------------------------------------------- root file system

/// MOUNT_ATTR_* to set and clear with mount_setattr(2).
struct MountAttributes {
  std::uint64_t set = 0;
  std::uint64_t clear = 0;
  [[nodiscard]] bool empty() const { return set == 0 && clear == 0; }
};

enum class MountKind : std::uint8_t {
  kFilesystem,  ///< a new instance of file system `type`
  kBind,        ///< a copy of the host's tree at `source`
  kCgroup,      ///< the container's view of its cgroups: v1 hierarchies on a tmpfs, or cgroup2
  kRemount,     ///< a change of what is mounted at `destination` already
};

struct Mount {
  MountKind kind = MountKind::kFilesystem;
  std::string destination;  ///< absolute, clean, in the container
  std::string source;  ///< kBind: absolute on the host (a relative one was taken from the bundle); else as it stands
  std::string type;    ///< file system type, for kFilesystem
  /// Options of the file system itself, for fsconfig: key and value, or a flag without one ("ro", "sync" included).
  std::vector<std::pair<std::string, std::optional<std::string>>> fs_options;
  MountAttributes attributes;            ///< of this mount alone
  MountAttributes recursive_attributes;  ///< rro, rnosuid...: of the whole tree
  bool recursive = false;                ///< rbind
  bool copy_up = false;                  ///< tmpcopyup
  bool source_nofollow = false;          ///< src-nofollow
  bool destination_nofollow = false;     ///< dest-nofollow
  bool copy_symlink = false;             ///< copy-symlink
  std::uint64_t propagation = 0;         ///< MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE; 0 leaves it
  bool propagation_recursive = false;    ///< rprivate...
  bool idmapped = false;                 ///< idmap, ridmap, or mappings of its own
  bool idmap_recursive = false;          ///< ridmap
  /// For idmapped: from ids of the file system (container_id) to ids of the host that are seen (host_id). Empty: the
  /// mapping of the user namespace that the container joins.
  std::vector<IdMapping> uid_mappings;
  std::vector<IdMapping> gid_mappings;
  std::string pointer;  ///< JSON pointer of the entry, for errors
};

struct Device {
  std::string path;  ///< absolute, in the container
  char type = 'c';   ///< c (u is written as c), b, p
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  mode_t mode = 0666;
  uid_t uid = 0;
  gid_t gid = 0;
};

struct Rootfs {
  std::string path;  ///< absolute on the host
  bool readonly = false;
  std::uint64_t propagation = 0;  ///< rootfsPropagation: MS_PRIVATE, MS_SLAVE, MS_SHARED or MS_UNBINDABLE; 0: default
  bool propagation_recursive = false;
  std::vector<Mount> mounts;    ///< in the order of config.json
  std::vector<Device> devices;  ///< the default devices and linux.devices (which replace defaults of the same path)
  std::vector<std::string> masked_paths;
  std::vector<std::string> readonly_paths;
  std::string mount_label;  ///< SELinux label for new mounts
  std::string label_option =
      "context";  ///< the mount option that gives it: context, fscontext, defcontext, rootcontext
};

// ---------------------------------------------------------------------------------------------- process

struct Rlimit {
  int resource = 0;  ///< RLIMIT_*
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
};

/// The five sets as bit masks; bit n is capability n of linux/capability.h.
struct Capabilities {
  std::uint64_t bounding = 0;
  std::uint64_t effective = 0;
  std::uint64_t inheritable = 0;
  std::uint64_t permitted = 0;
  std::uint64_t ambient = 0;
};

struct User {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> additional_gids;
  bool keep_groups = false;  ///< run.oci.keep_original_groups: the caller's groups stay, and these are not set
  mode_t umask = 022;
};

/// process.scheduler, as sched_setattr(2) takes it.
struct Scheduler {
  std::uint32_t policy = 0;  ///< SCHED_*
  std::uint64_t flags = 0;   ///< SCHED_FLAG_*
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime = 0;  ///< nanoseconds
  std::uint64_t deadline = 0;
  std::uint64_t period = 0;
};

struct IoPriority {
  int io_class = 0;  ///< IOPRIO_CLASS_*
  int priority = 0;
};

struct MemoryPolicy {
  int mode = 0;  ///< MPOL_* with MPOL_F_* flags
  std::vector<unsigned> nodes;
};

/// process.execCPUAffinity: CPUs before and after the process enters the container's cgroup; empty: as they are.
struct ExecAffinity {
  std::vector<unsigned> initial;
  std::vector<unsigned> final;
};

struct ConsoleSize {
  std::uint16_t height = 0;
  std::uint16_t width = 0;
};

struct Process {
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::string cwd;
  bool terminal = false;
  std::optional<ConsoleSize> console_size;
  User user;
  std::optional<Capabilities> capabilities;  ///< absent: no capability at all, as runc has it
  bool no_new_privileges = false;
  std::vector<Rlimit> rlimits;
  std::optional<int> oom_score_adj;
  std::optional<Scheduler> scheduler;
  std::optional<IoPriority> io_priority;
  std::optional<std::uint32_t> personality;  ///< PER_LINUX or PER_LINUX32
  std::optional<MemoryPolicy> memory_policy;
  ExecAffinity exec_affinity;  ///< for processes of `exec` only
  std::string apparmor_profile;
  std::string selinux_label;
};

// ---------------------------------------------------------------------------------------------- seccomp

enum class SeccompAction : std::uint8_t { kKillProcess, kKillThread, kTrap, kErrno, kTrace, kLog, kAllow, kNotify };
enum class SeccompOperator : std::uint8_t { kNe, kLt, kLe, kEq, kGe, kGt, kMaskedEq };

struct SeccompArgument {
  unsigned index = 0;  ///< 0 to 5
  SeccompOperator op = SeccompOperator::kEq;
  std::uint64_t value = 0;      ///< kMaskedEq: the mask
  std::uint64_t value_two = 0;  ///< kMaskedEq: the value
};

struct SeccompRule {
  std::vector<std::string> names;
  SeccompAction action = SeccompAction::kAllow;
  std::uint16_t errno_return = 1;          ///< for kErrno and kTrace; EPERM unless said
  std::vector<SeccompArgument> arguments;  ///< all must match
};

struct Seccomp {
  SeccompAction default_action = SeccompAction::kAllow;
  std::uint16_t default_errno_return = 1;
  std::vector<std::string> architectures;  ///< SCMP_ARCH_*, checked to be of the specification's list
  /// SECCOMP_FILTER_FLAG_*. Unless the configuration says which, mitigations of speculation stay off, as in runc and
  /// crun.
  std::uint64_t flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW;
  std::vector<SeccompRule> rules;
  std::string listener_path;  ///< absolute; needed where an action is kNotify
  std::string listener_metadata;
  bool fail_unknown = false;         ///< run.oci.seccomp_fail_unknown_syscall: names that nobody knows are errors
  std::vector<sock_filter> program;  ///< run.oci.seccomp_bpf_data: in place of all the rules
};

// ---------------------------------------------------------------------------------------------- resources

struct DeviceRule {
  bool allow = false;
  char type = 'a';                     ///< a, b or c
  std::optional<std::uint32_t> major;  ///< absent: every number
  std::optional<std::uint32_t> minor;
  bool read = false;
  bool write = false;
  bool mknod = false;
};

struct MemoryLimits {
  std::optional<std::int64_t> limit;  ///< bytes; -1: no limit
  std::optional<std::int64_t> reservation;
  std::optional<std::int64_t> swap;  ///< memory and swap together
  std::optional<std::int64_t> kernel_tcp;
  std::optional<std::uint64_t> swappiness;
  std::optional<bool> disable_oom_killer;
  std::optional<bool> use_hierarchy;
  bool check_before_update = false;
};

using CpuLimits = spec::CpuResources;

struct BlockDeviceWeight {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  std::optional<std::uint16_t> weight;
  std::optional<std::uint16_t> leaf_weight;
};

struct BlockDeviceRate {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  std::uint64_t rate = 0;
};

struct BlockIoLimits {
  std::optional<std::uint16_t> weight;
  std::optional<std::uint16_t> leaf_weight;
  std::vector<BlockDeviceWeight> weight_devices;
  std::vector<BlockDeviceRate> read_bps;
  std::vector<BlockDeviceRate> write_bps;
  std::vector<BlockDeviceRate> read_iops;
  std::vector<BlockDeviceRate> write_iops;
};

using HugepageLimit = spec::HugepageLimit;

struct RdmaLimit {
  std::string device;
  std::optional<std::uint32_t> handles;
  std::optional<std::uint32_t> objects;
};

using NetworkPriority = spec::InterfacePriority;

/// linux.resources. A value of 0 where the engines mean "not set" (shares, blkio weight, as Docker writes them) was
/// dropped already.
struct Resources {
  std::vector<DeviceRule> devices;  ///< in order; the last match counts; what no rule matches is denied
  MemoryLimits memory;
  CpuLimits cpu;
  std::optional<std::int64_t> pids_limit;  ///< -1: no limit; 0 is a limit
  BlockIoLimits block_io;
  std::vector<HugepageLimit> hugepages;
  std::vector<RdmaLimit> rdma;
  std::optional<std::uint32_t> network_class_id;
  std::vector<NetworkPriority> network_priorities;
  std::vector<std::pair<std::string, std::string>> unified;
};

// ---------------------------------------------------------------------------------------------- devices of the host

/// linux.netDevices: a device of the runtime's network namespace that the container gets.
struct NetDevice {
  std::string name;      ///< on the host
  std::string new_name;  ///< in the container
};

/// linux.intelRdt. Texts are lines of a schemata file, without a newline at their end.
struct IntelRdt {
  std::string clos_id;   ///< of the class of service; empty: one of the container's own; "/": the default one
  std::string schemas;   ///< of l3CacheSchema and memBwSchema together
  std::string schemata;  ///< written after these
  bool enable_monitoring = false;
};

// ---------------------------------------------------------------------------------------------- hooks

using Hook = spec::Hook;

struct Hooks {
  std::vector<Hook> prestart;
  std::vector<Hook> create_runtime;
  std::vector<Hook> create_container;
  std::vector<Hook> start_container;
  std::vector<Hook> poststart;
  std::vector<Hook> poststop;
  std::string output;  ///< run.oci.hooks.stdout: a file of the host that gets it, instead of an error's text
  std::string errors;  ///< run.oci.hooks.stderr

  /// Some run while the container's process waits with its mounts made and the host's still there.
  [[nodiscard]] bool any_before_pivot() const {
    return !prestart.empty() || !create_runtime.empty() || !create_container.empty();
  }
};

// ---------------------------------------------------------------------------------------------- all of it

struct ContainerPlan {
  std::string oci_version;
  Rootfs rootfs;
  Namespaces namespaces;
  Process process;  ///< of the container's program; `args` is empty where config.json has no process
  std::optional<Seccomp> seccomp;
  std::string cgroups_path;     ///< as config.json has it; "" if it is not set
  std::string delegate_cgroup;  ///< run.oci.delegate-cgroup: name of a cgroup inside the limited one; "" for none
  Resources resources;
  std::vector<NetDevice> net_devices;
  std::optional<IntelRdt> intel_rdt;
  Hooks hooks;
  std::string pidfd_receiver;  ///< run.oci.pidfd_receiver: a socket that gets a pidfd of the container's process
  std::map<std::string, std::string> annotations;
};

}  // namespace berth::plan
