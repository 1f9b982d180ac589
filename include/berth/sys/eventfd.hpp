#pragma once

#include <berth/base/error.hpp>
#include <berth/sys/unique_fd.hpp>

#include <cstdint>

namespace berth::sys {

/// eventfd(2) with EFD_CLOEXEC | EFD_NONBLOCK.
Result<UniqueFd> make_eventfd();
/// How often it was signalled since the last call; 0 if never.
Result<std::uint64_t> read_eventfd(int fd);

}  // namespace berth::sys
