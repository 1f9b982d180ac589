// The part of a seccomp filter that this project makes itself: what depends on architecture and number alone.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <span>
#include <vector>

namespace berth::security {

/// System calls `first` to `last` (inclusive) get `action`, a SECCOMP_RET_* value with its data.
struct CallRange {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  std::uint32_t action = 0;
  bool operator==(const CallRange&) const = default;
};

/// Of one AUDIT_ARCH_*: ranges in ascending order that do not overlap.
struct ArchitectureTable {
  std::uint32_t audit_arch = 0;
  std::vector<CallRange> ranges;
};

/// Joins neighbours that have the same action.
[[nodiscard]] std::vector<CallRange> join_ranges(std::span<const CallRange> ranges);

/// A program that returns the action of each call in a table, found by binary search, and that for all other calls
/// and architectures continues behind its own end, where another filter is to follow.
[[nodiscard]] std::vector<sock_filter> make_prologue(std::span<const ArchitectureTable> tables);

}  // namespace berth::security
