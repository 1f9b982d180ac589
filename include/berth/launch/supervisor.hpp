// From a plan and a cgroup to a container's process that stands right before its exec.
#pragma once

#include <berth/base/error.hpp>
#include <berth/cgroup/cgroup.hpp>
#include <berth/channel/channel.hpp>
#include <berth/launch/passed_descriptors.hpp>
#include <berth/net/moved_devices.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/rdt/resctrl.hpp>
#include <berth/sys/process.hpp>
#include <berth/sys/unique_fd.hpp>

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace berth::launch {

struct LaunchOptions {
  std::string bundle;           ///< absolute path
  bool no_pivot = false;        ///< --no-pivot
  bool no_new_keyring = false;  ///< --no-new-keyring
  PassedDescriptors passed;
  std::string filter_cache;  ///< directory for compiled seccomp filters
  int start_socket = -1;     ///< `create`: the listening socket that `start` connects to; -1: goes on when committed
  int interrupt_fd = -1;     ///< a signalfd; when it is readable the launch is given up
  const rdt::Groups* rdt = nullptr;  ///< which the container's process joins
  int hook_output = -1;              ///< files for what hooks write; -1: kept for an error's text
  int hook_errors = -1;
  /// The state document for hooks, by the container's pid and status.
  std::function<std::string(pid_t pid, std::string_view status)> state_document;
};

/// Where the listener of a seccomp filter that notifies goes.
struct SeccompReceiver {
  std::string path;      ///< of the agent's socket, SOCK_STREAM
  std::string document;  ///< the container process state that goes with the listener
};

/// The container's process, ready and waiting. Destroying it before commit() kills the process and takes its network
/// devices back.
class LaunchedProcess {
 public:
  LaunchedProcess(net::MovedDevices devices, sys::Child child, channel::Channel channel, sys::UniqueFd terminal)
      : devices_(std::move(devices)),
        child_(std::move(child)),
        channel_(std::move(channel)),
        terminal_(std::move(terminal)) {}

  /// One that goes on without a commit, to its program.
  static LaunchedProcess of_committed(sys::Child child, channel::Channel channel) {
    LaunchedProcess process({}, std::move(child), std::move(channel), {});
    process.committed_ = true;
    return process;
  }

  [[nodiscard]] pid_t pid() const { return child_.pid(); }
  [[nodiscard]] const sys::Pidfd& pidfd() const { return child_.pidfd(); }
  /// The master of the container's terminal; invalid without one.
  [[nodiscard]] sys::UniqueFd take_terminal() { return std::move(terminal_); }

  /// Tells the process that its state is on disk: it lives on without this program. With a start socket it waits for
  /// `start` now; without one it executes the container's program, and this waits until it did. `receiver` as in
  /// await_exec().
  Status commit(bool waits_for_start, const SeccompReceiver& receiver);
  /// After commit(): the process, as a child to wait for.
  [[nodiscard]] sys::Child& child() { return child_; }

 private:
  net::MovedDevices devices_;  // their network namespace outlives the process for as long as they are on loan
  sys::Child child_;
  channel::Channel channel_;
  sys::UniqueFd terminal_;
  bool committed_ = false;
};

/// Whether the container's memory limit (bytes; none or -1: no limit) lets a process of it have pages that it may not
/// need, some 300 KiB, and so that the kernel does not end who shares memory with it.
[[nodiscard]] bool has_room(const std::optional<std::int64_t>& memory_limit);

/// Does everything that can fail without a process (filter, namespaces' files), makes the process in its namespaces
/// and its cgroup, runs prestart and createRuntime hooks, and returns when the process is ready. On failure
/// the process is gone. The error is the process's own where it could still speak.
Result<LaunchedProcess> launch(const plan::ContainerPlan& plan, cgroup::Cgroup& cgroup, const LaunchOptions& options);

/// Reads from the container's process until it executes its program: ok when the connection ends after Executing.
/// `pidfd` tells whether the process has died instead. A listener that the process offers goes to `receiver` first.
/// `hooks_begin` is called when startContainer hooks keep the process busy.
Status await_exec(channel::Channel& channel, const sys::Pidfd& pidfd, const SeccompReceiver& receiver,
                  const std::function<Status()>& hooks_begin = {});

}  // namespace berth::launch
