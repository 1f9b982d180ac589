// What the supervisor and the container's process say to each other, and in which order.
//
//   supervisor                         stage (staged launch)       container's process
//   ----------                         ---------------------       -------------------
//   Proceed  ------------------------> joins, clones
//            <------------------------ Cloned {pid, pidfd}, exits
//   Proceed  ----------------------------------------------------> (its ids are mapped, it is in its cgroup)
//            <---------------------------------------------------- HooksWanted     only if the supervisor has hooks
//   HooksDone ---------------------------------------------------> (pivots, seals, drops)
//            <---------------------------------------------------- Ready {terminal fd}
//   Committed ---------------------------------------------------> `run`: goes on; `create`: waits for Start
//   Start    ----------------------------------------------------> on a new connection to the start socket
//            <---------------------------------------------------- StartHooks      only if there are startContainer
//            hooks
//            <---------------------------------------------------- Executing, then the end of the stream: exec worked
//
// A process of `exec` whose caller has nothing to do in between says Executing right after it proceeded.
//
// At any point the container's process may say Failure {Error} and end, or, once the trampoline has taken over,
// TrampolineFailed {what, errno}. The end of the stream before Ready or
// before Executing means that it died. A process that reads the end of the stream before Committed ends itself.
#pragma once

#include <berth/base/error.hpp>
#include <berth/sys/unique_fd.hpp>

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::channel {

enum class MessageType : std::uint8_t {
  kProceed,
  kCloned,
  kHooksWanted,
  kHooksDone,
  kReady,
  kCommitted,
  kStart,
  kExecuting,
  kTrampolineFailed,  ///< what, and a bare errno
  kFailure,
  kStartHooks,
};

/// "Ready": the name in the drawing above.
[[nodiscard]] std::string_view message_name(MessageType type);

struct Message {
  MessageType type = MessageType::kProceed;
  std::string payload;
  std::vector<sys::UniqueFd> fds;
};

/// The drawing above as a value: which message may come next, whoever sends it.
class Sequence {
 public:
  /// Where a launch begins, and where a start socket's connection does.
  enum class Begin : std::uint8_t { kLaunch, kStart };
  explicit Sequence(Begin begin = Begin::kLaunch);
  /// An error of kind kInternal if `type` cannot come now; else the sequence has moved on.
  Status advance(MessageType type);

 private:
  std::uint8_t state_;
};

/// One end of a connection. Messages out of order are refused on both ends.
class Channel {
 public:
  Channel() = default;
  explicit Channel(sys::UniqueFd socket, Sequence sequence = Sequence())
      : socket_(std::move(socket)), sequence_(sequence) {}

  [[nodiscard]] int fd() const { return socket_.get(); }
  void close() { socket_.reset(); }
  /// Gives the socket to who continues without the channel (the trampoline).
  [[nodiscard]] sys::UniqueFd release() { return std::move(socket_); }
  /// This was said by another process, on the same socket, or need not be said: a process in the supervisor's memory
  /// proceeds at once.
  Status count_as_said(MessageType type) { return sequence_.advance(type); }

  Status send(MessageType type, std::string_view payload = {}, int fd = -1);
  /// Sends an Error; whatever goes wrong here is lost, the process is about to end.
  void send_failure(const Error& error);
  /// The next message, or nothing at the end of the stream. Failure comes back as the error that it carries.
  Result<std::optional<Message>> receive();

 private:
  sys::UniqueFd socket_;
  Sequence sequence_;
};

/// An Error as bytes and back, whole: kind, errno, operation, contexts, hint.
[[nodiscard]] std::string encode_error(const Error& error);
/// Whatever bytes come, the result is an Error; one that cannot be read says so.
[[nodiscard]] Error decode_error(std::string_view bytes);

}  // namespace berth::channel
