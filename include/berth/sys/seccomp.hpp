// seccomp(2).
#pragma once

#include <berth/base/error.hpp>

#include <linux/filter.h>

#include <cstdint>
#include <span>

namespace berth::sys {

/// seccomp(SECCOMP_SET_MODE_FILTER): puts the calling thread under the program for good. `flags` are
/// SECCOMP_FILTER_FLAG_* without NEW_LISTENER. Allocates nothing unless it fails.
Status set_seccomp_filter(std::span<const sock_filter> program, std::uint64_t flags);

}  // namespace berth::sys
