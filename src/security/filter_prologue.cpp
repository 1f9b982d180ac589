#include "security/filter_prologue.hpp"

#include <linux/bpf_common.h>
#include <linux/seccomp.h>

#include <cstddef>
#include <optional>

namespace berth::security {
namespace {

using Program = std::vector<sock_filter>;

// Conditional jumps hold 8-bit distances; BPF_JA holds 32 bits.
constexpr std::size_t kShortJump = 255;
// Stands for the distance to the end of the prologue until that is known.
constexpr std::uint32_t kToEnd = ~0U;

sock_filter statement(unsigned code, std::uint32_t value) {
  return {static_cast<__u16>(code), 0, 0, value};
}

sock_filter branch(unsigned comparison, std::uint32_t value, std::size_t if_true, std::size_t if_false) {
  return {static_cast<__u16>(BPF_JMP | comparison | BPF_K), static_cast<__u8>(if_true), static_cast<__u8>(if_false),
          value};
}

void append(Program& program, const Program& tail) {
  program.insert(program.end(), tail.begin(), tail.end());
}

// From `first` to the next segment's: an action, or none for "ask the filter that follows".
struct Segment {
  std::uint32_t first = 0;
  std::optional<std::uint32_t> action;
};

// All numbers from 0 on, gaps between the ranges included.
std::vector<Segment> segments_of(std::span<const CallRange> ranges) {
  std::vector<Segment> segments;
  std::uint64_t next = 0;
  for (const CallRange& range : ranges) {
    if (range.first > next) {
      segments.push_back({static_cast<std::uint32_t>(next), std::nullopt});
    }
    segments.push_back({range.first, range.action});
    next = std::uint64_t{range.last} + 1;
  }
  if (next <= ~std::uint32_t{0}) {
    segments.push_back({static_cast<std::uint32_t>(next), std::nullopt});
  }
  return segments;
}

Program search_tree(std::span<const Segment> segments) {
  if (segments.size() == 1) {
    const std::optional<std::uint32_t> action = segments.front().action;
    return {action ? statement(BPF_RET | BPF_K, *action) : statement(BPF_JMP | BPF_JA, kToEnd)};
  }
  const std::size_t middle = segments.size() / 2;
  const Program below = search_tree(segments.first(middle));
  Program program;
  if (below.size() <= kShortJump) {
    program.push_back(branch(BPF_JGE, segments[middle].first, below.size(), 0));
  } else {
    program.push_back(branch(BPF_JGE, segments[middle].first, 0, 1));
    program.push_back(statement(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(below.size())));
  }
  append(program, below);
  append(program, search_tree(segments.subspan(middle)));
  return program;
}

}  // namespace

std::vector<CallRange> join_ranges(std::span<const CallRange> ranges) {
  std::vector<CallRange> joined;
  for (const CallRange& range : ranges) {
    if (!joined.empty() && joined.back().action == range.action && joined.back().last + 1 == range.first) {
      joined.back().last = range.last;
    } else {
      joined.push_back(range);
    }
  }
  return joined;
}

std::vector<sock_filter> make_prologue(std::span<const ArchitectureTable> tables) {
  Program program;
  if (tables.empty()) {
    return program;
  }
  program.push_back(statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)));
  for (const ArchitectureTable& table : tables) {
    // No path leaves a block but by a return or a jump to the end: the accumulator still holds the architecture
    // when the next comparison is reached.
    Program block = {statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
    append(block, search_tree(segments_of(table.ranges)));
    if (block.size() <= kShortJump) {
      program.push_back(branch(BPF_JEQ, table.audit_arch, 0, block.size()));
    } else {
      program.push_back(branch(BPF_JEQ, table.audit_arch, 1, 0));
      program.push_back(statement(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(block.size())));
    }
    append(program, block);
  }
  for (std::size_t position = 0; position < program.size(); ++position) {
    sock_filter& instruction = program[position];
    if (instruction.code == (BPF_JMP | BPF_JA) && instruction.k == kToEnd) {
      instruction.k = static_cast<std::uint32_t>(program.size() - position - 1);
    }
  }
  return program;
}

}  // namespace berth::security
