#include "cli/amounts.hpp"

#include <charconv>
#include <limits>
#include <optional>
#include <string_view>

namespace berth::cli {
namespace {

constexpr std::uint64_t kMostPartsOfOne = 1000;

// A number with a fraction of up to three digits (what follows them is cut off).
struct Decimal {
  std::uint64_t whole = 0;
  std::uint64_t parts = 0;  ///< after the point
  std::uint64_t parts_of_one = 1;

  // Nothing if it is more than fits.
  [[nodiscard]] std::optional<std::int64_t> times(std::uint64_t unit) const {
    if (whole > std::uint64_t{std::numeric_limits<std::int64_t>::max()} / unit - 1) {
      return std::nullopt;
    }
    const std::uint64_t fraction = unit / parts_of_one * parts + unit % parts_of_one * parts / parts_of_one;
    return static_cast<std::int64_t>(whole * unit + fraction);
  }
};

// Takes it off the front.
std::optional<Decimal> take_decimal(std::string_view& text) {
  Decimal decimal;
  const char* const end = text.data() + text.size();
  auto [rest, error] = std::from_chars(text.data(), end, decimal.whole);
  if (error != std::errc()) {
    return std::nullopt;
  }
  if (rest != end && *rest == '.') {
    for (++rest; rest != end && *rest >= '0' && *rest <= '9'; ++rest) {
      if (decimal.parts_of_one < kMostPartsOfOne) {
        decimal.parts = decimal.parts * 10 + static_cast<std::uint64_t>(*rest - '0');
        decimal.parts_of_one *= 10;
      }
    }
  }
  text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
  return decimal;
}

// 1048576 for "m", "MB", " MiB"; the letters' case does not matter.
std::optional<std::uint64_t> bytes_of_unit(std::string unit) {
  for (char& letter : unit) {
    letter = static_cast<char>(letter | 0x20);  // a space stays
  }
  unit.erase(0, unit.find_first_not_of(' '));
  static constexpr std::string_view kUnits = "bkmgtp";
  const std::size_t index = unit.empty() ? 0 : kUnits.find(unit.front());
  const bool plain = unit.size() < 2 || (index > 0 && (unit.substr(1) == "b" || unit.substr(1) == "ib"));
  return index < kUnits.size() && plain ? std::optional(std::uint64_t{1} << (10 * index)) : std::nullopt;
}

std::optional<std::uint64_t> milliseconds_of_unit(std::string_view unit) {
  if (unit == "ms") {
    return 1;
  }
  if (unit == "s") {
    return 1000;
  }
  if (unit == "m") {
    return 60'000;
  }
  return unit == "h" ? std::optional<std::uint64_t>(3'600'000) : std::nullopt;
}

}  // namespace

Result<std::int64_t> parse_bytes(const std::string& text) {
  if (text == "-1") {
    return -1;
  }
  std::string_view rest = text;
  const auto number = take_decimal(rest);
  const auto unit = bytes_of_unit(std::string(rest));
  const auto bytes = number && unit ? number->times(*unit) : std::nullopt;
  if (!bytes) {
    return fail(ErrorKind::kUsage, "\"{}\" is not a size: a number with b, k, m, g, t or p, or -1 was expected",
                one_line(text));
  }
  return *bytes;
}

Result<std::chrono::milliseconds> parse_duration(const std::string& text) {
  std::int64_t sum = 0;
  std::string_view rest = text;
  bool known = true;
  while (known && !rest.empty()) {
    const auto number = take_decimal(rest);
    const std::string_view unit = rest.substr(0, rest.find_first_of("0123456789."));
    rest.remove_prefix(unit.size());
    const auto scale = milliseconds_of_unit(unit);
    const auto part = number && scale ? number->times(*scale) : std::nullopt;
    known = part && !__builtin_add_overflow(sum, *part, &sum);
  }
  if (!known || sum <= 0) {
    return fail(ErrorKind::kUsage, "\"{}\" is not a time of more than 0, as 5s, 300ms or 1m30s", one_line(text));
  }
  return std::chrono::milliseconds(sum);
}

}  // namespace berth::cli
