// The container's cgroup, whatever this host's hierarchies are.
#pragma once

#include <berth/base/error.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/spec/event.hpp>

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::cgroup {

/// --cgroup-manager: who makes the cgroup.
enum class Manager : std::uint8_t { kCgroupfs, kSystemd, kDisabled };
/// "cgroupfs", "systemd" or "disabled": as the command line and the state write it.
std::string_view manager_name(Manager manager);
/// The other way round; kUsage for any other text.
Result<Manager> parse_manager(std::string_view name);

/// One directory of the container's cgroup.
struct Directory {
  std::string hierarchy;  ///< "" for cgroup2, else the name below /sys/fs/cgroup: "memory", "cpu", "systemd"
  std::string path;       ///< absolute: /sys/fs/cgroup/memory/berth/web
  friend bool operator==(const Directory&, const Directory&) = default;
};

/// Which cgroups above those of containers are frozen, as far as it was asked: for who looks at many containers at one
/// moment, from any thread.
class FrozenAbove {
 public:
  /// Whether this directory of cgroup2, or one above it, is.
  Result<bool> includes(const std::string& directory);

 private:
  std::mutex mutex_;
  std::map<std::string, bool> known_;
};

/// The unit of systemd around a container's cgroup.
struct Unit {
  std::string name;   ///< libpod-1234.scope
  bool user = false;  ///< of the calling user's own systemd, not of the system's
  /// By which systemd knows this run of the unit from any other of its name: 32 hexadecimal digits, "" before it.
  std::string invocation = {};
  /// What only its start needs, and what no state has to remember.
  std::string slice;
  std::string description;
  std::map<std::string, std::string> annotations;
  friend bool operator==(const Unit&, const Unit&) = default;
};

/// Where a container's cgroup is. Plain data: it is written to the state before the cgroup exists, and is all
/// that another command needs to find, freeze, kill or remove it.
struct Placement {
  Manager manager = Manager::kDisabled;
  std::string path;  ///< as in /proc/PID/cgroup: /berth/web
  std::vector<Directory> directories;
  std::optional<Unit> unit = {};  ///< kSystemd only
  /// Number of the first directory's inode, by which it is known from any other that had or will have its path until
  /// the next boot; 0 before it is made, and where the unit is what is known.
  std::uint64_t inode = 0;
  friend bool operator==(const Placement&, const Placement&) = default;
};

/// Decides where the cgroup of container `id` will be, by the mounts of this host. `cgroups_path` is that of
/// config.json: absolute paths start at the hierarchy's root, relative ones and "" (`berth/ID`) too, below which
/// the calling process sees them; kSystemd takes `slice:prefix:name` and the annotations that are meant for it. Refuses
/// "..", and kSystemd where no systemd answers or beside v1. Makes nothing.
Result<Placement> place(Manager manager, const std::string& cgroups_path, const std::string& id,
                        const std::map<std::string, std::string>& annotations = {});

/// Where `exec --cgroup` puts its process: each argument is `[CONTROLLER,..:]PATH`, a cgroup that exists below the
/// container's, in the hierarchies of these controllers or in all of them. kUsage for "..", or a controller that the
/// container has no cgroup of.
Result<Placement> placement_below(Placement placement, const std::vector<std::string>& arguments);
/// The same placement with the cgroup2 directory that `process`, one of the container's, is in.
Result<Placement> placement_beside(Placement placement, pid_t process);

class Cgroup {
 public:
  /// Checks that every limit can be enforced by the controllers of this placement; makes nothing. The error names the
  /// limit, the controller that is missing and where.
  static Status check(const Placement& placement, const plan::Resources& resources);
  /// Whether resources has a limit that only a cgroup can enforce. Device rules are none here: a user without
  /// privilege, for whom this is asked, can make no device.
  static bool asks_for_limits(const plan::Resources& resources);
  /// Makes the directories and missing parents, all marked as our own. Refuses a cgroup that has processes or that
  /// another create() or remove() works on at this moment; what a container has left there, whose processes have ended,
  /// is replaced, so that it is known that it is that container's no more. The object removes what it made when it is
  /// destroyed (processes in it are killed), until release() is called; its copy in a child process does nothing.
  static Result<Cgroup> create(const Placement& placement);
  /// For a cgroup that another command made; destroying the object changes nothing.
  static Cgroup open(Placement placement);

  Cgroup(Cgroup&&) noexcept;
  Cgroup& operator=(Cgroup&&) noexcept;
  ~Cgroup();

  [[nodiscard]] const Placement& placement() const;
  /// Writes all limits, device rules included.
  Status apply(const plan::Resources& resources);
  /// Changes the limits that `resources` has, and device rules if it has any, while processes run; the others stay.
  /// All or nothing: where one is refused, those before it get their old values back. Half a limit is completed with
  /// what is in force: quota without period, memory/swap without memory/limit.
  Status update(const plan::Resources& resources);
  /// Descriptor of the cgroup2 directory for CLONE_INTO_CGROUP, or -1 where processes must be added by add(): without
  /// cgroup2, and after apply() of a pids limit of 0, under which nothing can be forked there.
  [[nodiscard]] int clone_fd() const;
  /// Whether a process that was cloned into clone_fd() is in every directory, and has nothing to wait for.
  [[nodiscard]] bool clone_suffices() const;
  /// Moves a process in: into every directory, or only those that CLONE_INTO_CGROUP did not cover when `cloned_into`.
  Status add(pid_t pid, bool cloned_into);
  /// Whether what is there now under the cgroup's name, if anything, is what create() made. Certain as long as a
  /// process of the container's lives; after that another container may have the name of the unit or of the directory.
  /// To be asked before the next boot only.
  [[nodiscard]] Result<bool> still_ours() const;
  /// The same; a directory then stays ours as long as the object lives: create() refuses it.
  Result<bool> claim();
  /// All processes, those of child cgroups included.
  [[nodiscard]] Result<std::vector<pid_t>> processes() const;
  /// What it has used until now; what this kernel does not count is 0 or left out.
  [[nodiscard]] spec::Statistics statistics() const;
  Status freeze();  ///< returns when every process is frozen; on failure or after a bound it thaws again and fails
  Status thaw();
  /// Whether somebody has frozen it or one above it, also while some processes still run: whoever began that may have
  /// been killed, and a thaw is what helps.
  [[nodiscard]] Result<bool> frozen() const;
  [[nodiscard]] Result<bool> frozen(FrozenAbove& above) const;
  /// Sends `signal` to every process, children's cgroups included; SIGKILL reaches frozen ones too and races with no
  /// fork (cgroup.kill, or freeze, signal, thaw on v1).
  Status kill(int signal);
  /// Waits, up to `timeout`, until no process is left, then removes the directories, child cgroups first, and those
  /// parents that berth made and nobody uses. No error if there is nothing left to remove, or the name is another
  /// container's by now.
  Status remove(std::chrono::milliseconds timeout);
  /// Removes what nobody uses of a cgroup that create() may have been about to make when it was killed: what has a
  /// process in it, or is being set up, is another container's. A unit that it started had nothing but a process that
  /// died with it, and ends by itself.
  Status remove_unused();
  /// The cgroup stays when the object is destroyed.
  void release();

 private:
  struct Implementation;
  explicit Cgroup(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

/// What the mount of kind kCgroup in a container shows, for rootfs: the hierarchies and this container's place in them.
struct View {
  bool unified = false;  ///< one cgroup2 mount; else a tmpfs with one directory a hierarchy
  struct Hierarchy {
    /// Name of its directory: "memory", "systemd", "unified"; "cpu,cpuacct" for controllers that share a hierarchy,
    /// where programs expect a symbolic link of each single name too.
    std::string name;
    std::string mount_data;  ///< option of the v1 mount: "memory", "name=systemd"; "" for cgroup2
    std::string host_path;   ///< the container's own directory on the host
  };
  std::vector<Hierarchy> hierarchies;
};
Result<View> view(const Placement& placement);

}  // namespace berth::cgroup
