#include "security/filter_prologue.hpp"

#include <catch2/catch.hpp>

#include "security/classic_bpf.hpp"

using namespace berth::security;
using berth::test::run_filter;

namespace {

constexpr std::uint32_t kArchA = 0xc000003e;
constexpr std::uint32_t kArchB = 0x40000003;
constexpr std::uint32_t kBehind = 0xbeef;

std::uint32_t verdict(std::span<const ArchitectureTable> tables, std::uint32_t arch, std::uint32_t number) {
  std::vector<sock_filter> program = make_prologue(tables);
  program.push_back({BPF_RET | BPF_K, 0, 0, kBehind});
  return run_filter(program, {.nr = static_cast<int>(number), .arch = arch, .instruction_pointer = 0, .args = {}});
}

}  // namespace

TEST_CASE("neighbours with the same action become one range") {
  CHECK(join_ranges(std::vector<CallRange>{{1, 1, 7}, {2, 4, 7}, {5, 5, 8}, {7, 9, 8}}) ==
        std::vector<CallRange>{{1, 4, 7}, {5, 5, 8}, {7, 9, 8}});
}

TEST_CASE("no table, no prologue") {
  CHECK(make_prologue({}).empty());
}

TEST_CASE("each number gets the action of its range, the rest goes on behind the prologue") {
  const std::vector<ArchitectureTable> tables = {{kArchA, {{0, 3, 1}, {5, 5, 2}, {0x40000000, ~0U, 3}}},
                                                 {kArchB, {{1, 1, 4}}}};
  struct Case {
    std::uint32_t arch, number, expected;
  };
  const Case cases[] = {
      {kArchA, 0, 1},           {kArchA, 3, 1},       {kArchA, 4, kBehind},
      {kArchA, 5, 2},           {kArchA, 6, kBehind}, {kArchA, 0x3fffffff, kBehind},
      {kArchA, 0x40000000, 3},  {kArchA, ~0U, 3},     {kArchB, 0, kBehind},
      {kArchB, 1, 4},           {kArchB, 2, kBehind}, {kArchB, ~0U, kBehind},
      {0xc00000b7, 1, kBehind},
  };
  for (const Case& entry : cases) {
    CAPTURE(entry.arch, entry.number);
    CHECK(verdict(tables, entry.arch, entry.number) == entry.expected);
  }
}

TEST_CASE("jumps reach over parts of any length, also beyond a conditional jump's 8 bits") {
  for (std::uint32_t count = 0; count < 300; ++count) {
    std::vector<ArchitectureTable> tables = {{kArchA, {}}, {kArchB, {{7, 7, 9}}}};
    for (std::uint32_t number = 0; number < count; ++number) {
      tables[0].ranges.push_back({2 * number, 2 * number, number});
    }
    std::vector<sock_filter> program = make_prologue(tables);
    program.push_back({BPF_RET | BPF_K, 0, 0, kBehind});
    const auto verdict_of = [&](std::uint32_t arch, std::uint32_t number) {
      return run_filter(program, {.nr = static_cast<int>(number), .arch = arch, .instruction_pointer = 0, .args = {}});
    };
    std::uint32_t wrong = 0;
    for (std::uint32_t number = 0; number < 2 * count + 3; ++number) {
      const bool named = number < 2 * count && number % 2 == 0;
      wrong += verdict_of(kArchA, number) == (named ? number / 2 : kBehind) ? 0U : 1U;
    }
    CAPTURE(count);
    CHECK(wrong == 0);
    CHECK(verdict_of(kArchB, 7) == 9);
    CHECK(verdict_of(kArchB, 8) == kBehind);
  }
}
