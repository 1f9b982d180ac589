// seccomp(2).
#pragma once

#include <berth/base/error.hpp>

#include <linux/filter.h>

#include <cstdint>
#include <span>
#include <string>

namespace berth::sys {

/// seccomp(SECCOMP_SET_MODE_FILTER): puts the calling thread under the program for good. Gives the listener's
/// descriptor (close-on-exec) if `flags` (SECCOMP_FILTER_FLAG_*) ask for one, else 0. Allocates nothing unless it
/// fails.
Result<int> set_seccomp_filter(std::span<const sock_filter> program, std::uint64_t flags);

/// Why the kernel refused a filter.
[[nodiscard]] Error seccomp_error(int errnum, std::string operation);

}  // namespace berth::sys
