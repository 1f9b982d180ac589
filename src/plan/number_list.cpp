#include <berth/plan/number_list.hpp>

#include <algorithm>
#include <charconv>
#include <string>

namespace berth::plan {
namespace {

std::optional<unsigned> parse_number(std::string_view text, unsigned maximum) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number > maximum) {
    return std::nullopt;
  }
  return number;
}

}  // namespace

std::optional<std::vector<unsigned>> parse_number_list(std::string_view text, unsigned maximum) {
  std::string plain(text);
  std::erase(plain, ' ');
  std::vector<unsigned> numbers;
  for (std::string_view rest = plain; !rest.empty();) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view item = rest.substr(0, comma);
    if (comma + 1 == rest.size()) {
      return std::nullopt;  // a comma at the end
    }
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    const std::size_t dash = item.find('-');
    const std::optional<unsigned> first = parse_number(item.substr(0, dash), maximum);
    const std::optional<unsigned> last =
        dash == std::string_view::npos ? first : parse_number(item.substr(dash + 1), maximum);
    if (!first || !last || *first > *last) {
      return std::nullopt;
    }
    for (unsigned number = *first; number <= *last; ++number) {
      numbers.push_back(number);
    }
  }
  std::ranges::sort(numbers);
  const auto repeated = std::ranges::unique(numbers);
  numbers.erase(repeated.begin(), repeated.end());
  return numbers;
}

}  // namespace berth::plan
