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
  /// stays where it is, for whoever reads stdin next.
  [[nodiscard]] int input_fd() const { return input_open_ && master_.valid() ? 0 : -1; }
  [[nodiscard]] int master_fd() const { return master_.get(); }
  /// Moves what is there from stdin to the container; at the end of stdin it sends the terminal's end-of-file
  /// character.
  Status forward_input();
  /// Moves what is there from the container to stdout; closes the master at the end.
  Status forward_output();
  /// Copies everything that the container has written already, once it has ended.
  Status drain_output();
  /// Gives the container's terminal the size of the caller's.
  Status resize();

 private:
  explicit Relay(sys::UniqueFd master) : master_(std::move(master)) {}
  void restore();
  sys::UniqueFd master_;
  std::optional<termios> saved_;
  bool input_open_ = true;
};

}  // namespace berth::terminal
