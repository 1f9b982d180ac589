#include "hooks/output_tail.hpp"

#include <berth/sys/pipe.hpp>
#include <berth/sys/process.hpp>

#include <array>
#include <chrono>
#include <string_view>

namespace berth::hooks {

Result<bool> OutputTail::read_from(int fd) {
  std::array<char, 4096> buffer;
  const std::size_t count = TRY(sys::read_some(fd, buffer, "output of the hook"));
  tail_.append(buffer.data(), count);
  if (tail_.size() > kLimit) {
    tail_.erase(0, tail_.size() - kLimit);
    cut_ = true;
  }
  return count > 0;
}

Status OutputTail::drain(int fd) {
  // A full pipe, four times over: a process that the hook left behind may write for ever.
  constexpr int kMostReads = 64;
  for (int reads = 0; reads < kMostReads; ++reads) {
    const bool readable = TRY(sys::wait_readable({&fd, 1}, std::chrono::milliseconds(0))).has_value();
    if (!readable || !TRY(read_from(fd))) {
      break;
    }
  }
  return {};
}

std::string OutputTail::text() const {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = tail_.find_first_not_of(kSpace);
  if (first == std::string::npos) {
    return {};
  }
  const std::size_t last = tail_.find_last_not_of(kSpace);
  std::string line = cut_ ? "..." : "";
  for (const char letter : std::string_view(tail_).substr(first, last - first + 1)) {
    if (letter == '\n') {
      line += "; ";
    } else if (letter != '\r') {
      line += letter;
    }
  }
  return line;
}

}  // namespace berth::hooks
