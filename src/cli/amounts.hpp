// Amounts with a unit, as the command line has them.
#pragma once

#include <berth/base/error.hpp>

#include <chrono>
#include <cstdint>
#include <string>

namespace berth::cli {

/// Bytes: a number, which may have a fraction, and a unit that counts in powers of 1024, as engines write it: 64m, 64M,
/// 64MB, 64MiB, "1.5 g". -1 is no limit.
Result<std::int64_t> parse_bytes(const std::string& text);

/// A time that is more than 0, as Go programs write it: "5s", "300ms", "1m30s", "1.5h". At least a millisecond.
Result<std::chrono::milliseconds> parse_duration(const std::string& text);

}  // namespace berth::cli
