// sd_notify(3) of a container: its messages reach the service manager that listens at the caller's $NOTIFY_SOCKET.
#pragma once

#include <berth/base/error.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/sys/process.hpp>
#include <berth/sys/unique_fd.hpp>

#include <sys/types.h>

#include <string>
#include <string_view>

namespace berth::container {

/// $NOTIFY_SOCKET of this process: a path, or an abstract address with an @ in front; "" for none.
[[nodiscard]] std::string notify_address();

/// Lets the container see `source`, the directory of its socket, read-only at /run/notify, and tells its program by
/// $NOTIFY_SOCKET.
void add_notify_socket(plan::ContainerPlan& plan, const std::string& source);

/// What the service manager gets for a container's message: MAINPID is a number of the container's pid namespace, and
/// left out; with READY=1 comes the one that the manager knows, `pid`.
[[nodiscard]] std::string notification_of(std::string_view message, pid_t pid);

/// Between the container's socket and the service manager's.
class NotifyProxy {
 public:
  /// Makes the socket in the container's state directory, and connects to the manager at `address`.
  static Result<NotifyProxy> start(int state_directory, const std::string& address);

  [[nodiscard]] int fd() const { return socket_.get(); }
  /// Hands on one message that is there; true if it said READY=1. What the container's processes send is never an
  /// error.
  Result<bool> forward(pid_t pid) const;
  /// Forwards until the container is ready or `process` has ended, and waits (5 s at most) until the manager has read
  /// it all: it finds out whose a message is only while the sender lives. Fails when `interrupt_fd`, a signalfd, is
  /// readable; -1: signals do what they do.
  Status await_ready(const sys::Pidfd& process, pid_t pid, int interrupt_fd) const;

 private:
  NotifyProxy(sys::UniqueFd socket, sys::UniqueFd manager) : socket_(std::move(socket)), manager_(std::move(manager)) {}
  sys::UniqueFd socket_;
  sys::UniqueFd manager_;
};

}  // namespace berth::container
