// The caller's terminal in front of the container's, for `run` in the foreground.
#pragma once

#include <berth/base/error.hpp>
#include <berth/sys/unique_fd.hpp>

#include <termios.h>

#include <optional>
#include <string>

namespace berth::terminal {

/// Copies between stdin/stdout and the master of the container's terminal. A caller's terminal is in raw mode as long
/// as this object lives, and has its own settings again after it.
class Relay {
 public:
  /// `size_is_set`: config.json gave a consoleSize, which stays until the caller's window changes.
  static Result<Relay> start(sys::UniqueFd master, bool size_is_set);
  Relay(Relay&& other) noexcept;
  Relay& operator=(Relay&&) = delete;
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  ~Relay();

  /// Descriptors for poll(2); -1 when there is nothing (more) to read there. Input that no terminal takes any more
  /// stays where it is, for whoever reads stdin next; so does what comes while earlier input is still pending.
  [[nodiscard]] int input_fd() const { return input_open_ && pending_.empty() && master_.valid() ? 0 : -1; }
  [[nodiscard]] int master_fd() const { return master_.get(); }
  /// Whether input waits until the container's terminal takes it (POLLOUT on the master).
  [[nodiscard]] bool has_pending_input() const { return !pending_.empty(); }
  /// Reads what is there on stdin for the container; at the end of stdin, the terminal's end-of-file character.
  Status forward_input();
  /// Writes what the container's terminal takes of the pending input, without waiting for a program that does not read:
  /// its output must go on meanwhile.
  Status flush_input();
  /// Moves what is there from the container to stdout; closes the master at the end.
  Status forward_output();
  /// Copies what the container has written already, once it has ended; not more than a terminal can hold, because
  /// somebody else may have it open and go on.
  Status drain_output();
  /// Gives the container's terminal the size of the caller's.
  Status resize();

 private:
  explicit Relay(sys::UniqueFd master) : master_(std::move(master)) {}
  void restore();
  sys::UniqueFd master_;
  std::optional<termios> saved_;
  std::string pending_;
  bool input_open_ = true;
};

}  // namespace berth::terminal
