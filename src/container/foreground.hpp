// `run` in the foreground: what its caller types, resizes and kills reaches the container.
#pragma once

#include <berth/base/error.hpp>
#include <berth/sys/process.hpp>
#include <berth/sys/unique_fd.hpp>
#include <berth/terminal/relay.hpp>

#include <optional>

#include "container/notify_socket.hpp"

namespace berth::container {

/// Blocks signals for the calling process (its children must unblock them) and gives a descriptor that tells them.
class SignalFd {
 public:
  /// Those that end a program: while a container is being made they must not leave it half made.
  static Result<SignalFd> for_creation();
  /// Everything that can be forwarded.
  static Result<SignalFd> for_forwarding();
  [[nodiscard]] int get() const { return fd_.get(); }
  /// The next signal's number.
  [[nodiscard]] Result<int> read() const;

 private:
  explicit SignalFd(sys::UniqueFd fd) : fd_(std::move(fd)) {}
  sys::UniqueFd fd_;
};

/// Waits for the container's process, forwards signals to it, copies its terminal's data and hands its notifications on
/// (`notify` may be null); gives how it ended.
Result<sys::ExitStatus> wait_in_foreground(sys::Child& child, const SignalFd& signals,
                                           std::optional<terminal::Relay>& relay, const NotifyProxy* notify = nullptr);

}  // namespace berth::container
