// Processes: creation, pidfds, waiting, and the calls that change the calling process.
#pragma once

#include <berth/base/error.hpp>
#include <berth/sys/unique_fd.hpp>

#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace berth::sys {

/// How a process ended.
struct ExitStatus {
  int code = 0;    ///< exit status if `signal` is 0
  int signal = 0;  ///< the signal that ended it, or 0
  /// As a shell reports it: the code, or 128+n for signal n.
  [[nodiscard]] int shell_status() const { return signal != 0 ? 128 + signal : code; }
  [[nodiscard]] std::string describe() const;
};

/// A descriptor that refers to one process for ever: a reused number cannot redirect a signal.
class Pidfd {
 public:
  Pidfd() = default;
  explicit Pidfd(UniqueFd fd) : fd_(std::move(fd)) {}
  /// pidfd_open(2); ESRCH if there is no such process.
  static Result<Pidfd> open(pid_t pid);

  [[nodiscard]] int get() const { return fd_.get(); }
  [[nodiscard]] bool valid() const { return fd_.valid(); }
  /// pidfd_send_signal(2).
  [[nodiscard]] Status send_signal(int signal) const;
  /// Whether the process has ended (a zombie has). Works for processes of others too.
  [[nodiscard]] Result<bool> has_ended() const;
  /// Waits until the process has ended; false if `timeout` passed first. Works for processes of others too.
  [[nodiscard]] Result<bool> wait_ended(std::chrono::milliseconds timeout) const;
  /// pidfd_getfd(2): a copy (close-on-exec) of descriptor `fd` of the process. Needs the right to trace it.
  [[nodiscard]] Result<UniqueFd> copy_descriptor(int fd) const;
  /// Reaps a child: waitid(P_PIDFD). Blocks.
  [[nodiscard]] Result<ExitStatus> reap() const;

 private:
  UniqueFd fd_;
};

/// What clone3(2) gives back in the parent.
struct ClonedProcess {
  pid_t pid = 0;
  Pidfd pidfd;
};

/// A process that this one made and must end and reap: destroying it kills with SIGKILL and reaps.
class Child {
 public:
  Child() = default;
  explicit Child(ClonedProcess process) : process_(std::move(process)) {}
  Child(Child&& other) noexcept : process_(std::move(other.process_)) { other.process_ = {}; }
  Child& operator=(Child&& other) noexcept;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { kill_and_reap(); }

  [[nodiscard]] pid_t pid() const { return process_.pid; }
  [[nodiscard]] const Pidfd& pidfd() const { return process_.pidfd; }
  /// Waits for the end; after that nothing is left to kill.
  Result<ExitStatus> reap();
  /// SIGKILL and reap, now; nothing if there is no process.
  void kill_and_reap();
  /// Lets the process live on without this owner.
  ClonedProcess release();

 private:
  ClonedProcess process_;
};

/// clone3(2). In the child the optional is empty. `flags` are CLONE_NEW* and CLONE_PARENT (CLONE_PIDFD is added);
/// `cgroup` is a descriptor of a cgroup2 directory for CLONE_INTO_CGROUP or -1. The child shares no memory (a copy, as
/// with fork), so that it continues with everything the parent prepared.
Result<std::optional<ClonedProcess>> clone_process(std::uint64_t flags, int cgroup);

using ProcessBody = void (*)(void* argument) noexcept;
/// clone3(2) in the way of vfork(2), into the cgroup2 directory `cgroup`: the new process runs `body` in the memory of
/// this one, on a stack of its own, and this one stands still until that has executed a program or ended. Nothing is
/// copied, so that it costs a fraction of a fork. Everything but memory is the child's own: descriptors, working
/// directory, signals, credentials. What it changes in memory stays changed: `body` leaves alone what its caller needs
/// after it, and never returns. SIGKILL is all that reaches this process meanwhile.
Result<ClonedProcess> clone_sharing_memory(std::uint64_t flags, int cgroup, ProcessBody body, void* argument);
/// Whether this program can do that: not with the address sanitizer.
[[nodiscard]] bool knows_shared_memory();

/// setns(2): joins the namespaces of type `flag` (CLONE_NEW*) that `fd` refers to.
Status set_namespace(int fd, int flag, std::string_view name);
/// unshare(2).
Status unshare(int flags, std::string_view name);
/// prctl(2) with integer arguments; `name` is the option as the manual page writes it.
Result<int> process_control(int option, unsigned long arg2, unsigned long arg3, std::string_view name);
/// prctl(PR_SET_DUMPABLE, 0): no other process of the container may trace this one or open its /proc files.
Status set_undumpable();
/// Asks for SIGKILL when the parent ends. A change of credentials takes this back (prctl(2)).
Status die_with_parent();

/// The calling process's own view: getpid(2) in its pid namespace.
pid_t own_pid();

/// poll(2); `revents` of each tells what is there. A negative timeout waits for ever; false when it passed first.
Result<bool> poll_events(std::span<pollfd> polled, std::chrono::milliseconds timeout);
/// poll(2) for POLLIN on several descriptors; -1 entries are skipped. Gives the index of the first one that is
/// readable (or hung up), or nothing when `timeout` passes; a negative timeout waits for ever.
Result<std::optional<std::size_t>> wait_readable(std::span<const int> fds, std::chrono::milliseconds timeout);

}  // namespace berth::sys
