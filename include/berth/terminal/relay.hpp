// The caller's terminal in front of the container's, for `run` in the foreground.
#pragma once

#include <berth/base/error.hpp>
#include <berth/sys/unique_fd.hpp>

#include <termios.h>

#include <optional>
#include <string>

namespace berth::terminal {

/// Copies between stdin/stdout and the master of the container's terminal. A caller's terminal is in raw mode as long
/// as this object lives and the program is in its foreground, and has its own settings again after it.
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
  /// stays where it is, for whoever reads stdin next; so does what comes while earlier input is still pending, and what
  /// is typed for others while this program is in the background.
  [[nodiscard]] int input_fd() const {
    return input_open_ && !in_background_ && pending_.empty() && master_.valid() ? 0 : -1;
  }
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
  /// Gives the container's terminal the size of the caller's, by the first of stdin, stdout and stderr that is one.
  Status resize();
  /// The caller's terminal gets its own settings, before this program stops.
  void suspend();
  /// Raw mode and the size again, after this program was stopped; not in the background.
  Status resume();
  /// Whether to call resume() now and then: nothing tells a program that it came to the foreground.
  [[nodiscard]] bool in_background() const { return in_background_; }

 private:
  explicit Relay(sys::UniqueFd master) : master_(std::move(master)) {}
  Status make_raw();
  sys::UniqueFd master_;
  std::optional<termios> saved_;  ///< the caller's settings, while its terminal is in raw mode
  std::string pending_;
  bool input_open_ = true;
  bool in_background_ = false;
};

}  // namespace berth::terminal
