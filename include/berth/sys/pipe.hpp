#pragma once

#include <berth/base/error.hpp>
#include <berth/sys/unique_fd.hpp>

#include <cstddef>
#include <span>
#include <string_view>

namespace berth::sys {

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
  /// pipe2(O_CLOEXEC); both ends block.
  static Result<Pipe> create();
};

/// One read(2): how many bytes it put into `buffer`, 0 at the end of the stream.
Result<std::size_t> read_some(int fd, std::span<char> buffer, std::string_view name);

}  // namespace berth::sys
