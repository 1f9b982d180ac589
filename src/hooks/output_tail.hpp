// The end of what a process writes.
#pragma once

#include <berth/base/error.hpp>

#include <cstddef>
#include <string>

namespace berth::hooks {

class OutputTail {
 public:
  /// One read(2) of what `fd` has; false at the end of the stream.
  Result<bool> read_from(int fd);
  /// Reads what is there now, without waiting for more.
  Status drain(int fd);
  /// At most kLimit bytes, on one line, without white space at its ends; a cut is marked.
  [[nodiscard]] std::string text() const;

  static constexpr std::size_t kLimit = 1024;

 private:
  std::string tail_;
  bool cut_ = false;
};

}  // namespace berth::hooks
