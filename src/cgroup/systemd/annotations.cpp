// Unit properties in annotations, by the GVariant text format (gvariant-text(7) of GLib).
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>

#include "cgroup/systemd/unit_properties.hpp"

namespace berth::cgroup::systemd {
namespace {

constexpr std::string_view kPrefix = "org.systemd.property.";
constexpr std::string_view kExpected = "true, 'text', 5, uint64 5, ['a', 'b'] or [byte 0x01]";

// Consumes a value from the front of the text; nothing where it is none that is understood.
class ValueParser {
 public:
  explicit ValueParser(std::string_view text) : rest_(text) {}

  std::optional<BusValue> parse() {
    auto value = element();
    skip_spaces();
    return rest_.empty() ? value : std::nullopt;
  }

 private:
  void skip_spaces() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\n"), rest_.size())); }
  bool take(std::string_view token) {
    skip_spaces();
    if (!rest_.starts_with(token)) {
      return false;
    }
    rest_.remove_prefix(token.size());
    return true;
  }

  std::optional<BusValue> element() {
    skip_spaces();
    if (rest_.starts_with('\'') || rest_.starts_with('"')) {
      auto parsed = text();
      return parsed ? std::optional<BusValue>(std::move(*parsed)) : std::nullopt;
    }
    if (take("@as")) {
      return take("[") ? list_of<std::string>() : std::nullopt;
    }
    if (take("[")) {
      skip_spaces();
      if (rest_.starts_with("byte") || rest_.starts_with("0x")) {
        return list_of<std::uint8_t>();
      }
      return rest_.starts_with("uint32") ? list_of<std::uint32_t>() : list_of<std::string>();
    }
    if (take("true")) {
      return true;
    }
    if (take("false")) {
      return false;
    }
    return typed_number();
  }

  std::optional<BusValue> typed_number() {
    if (take("byte ")) {
      return number<std::uint8_t>();
    }
    if (take("int16 ")) {
      return number<std::int16_t>();
    }
    if (take("uint16 ")) {
      return number<std::uint16_t>();
    }
    if (take("int32 ")) {
      return number<std::int32_t>();
    }
    if (take("uint32 ")) {
      return number<std::uint32_t>();
    }
    if (take("int64 ")) {
      return number<std::int64_t>();
    }
    if (take("uint64 ")) {
      return number<std::uint64_t>();
    }
    if (take("double ") || rest_.find_first_of(".eE") != std::string_view::npos) {
      return number<double>();
    }
    return number<std::int32_t>();
  }

  template <class T>
  std::optional<BusValue> number() {
    skip_spaces();
    T value{};
    const char* end = nullptr;
    if constexpr (std::is_floating_point_v<T>) {
      // std::from_chars for these is 50 KB of the binary.
      const std::string digits(rest_.substr(0, rest_.find_first_not_of("+-.0123456789eE")));
      char* parsed_end = nullptr;
      value = std::strtod(digits.c_str(), &parsed_end);
      end = rest_.data() + (parsed_end - digits.c_str());
    } else {
      const bool hexadecimal = rest_.starts_with("0x");
      rest_.remove_prefix(hexadecimal ? 2 : 0);
      const auto parsed = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value, hexadecimal ? 16 : 10);
      end = parsed.ec == std::errc() ? parsed.ptr : rest_.data();
    }
    if (end == rest_.data()) {
      return std::nullopt;
    }
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return value;
  }

  // 'text' or "text"; a backslash takes the next character as it stands.
  std::optional<std::string> text() {
    const char quote = rest_.front();
    std::string value;
    for (std::size_t at = 1; at < rest_.size(); ++at) {
      if (rest_[at] == quote) {
        rest_.remove_prefix(at + 1);
        return value;
      }
      if (rest_[at] == '\\' && at + 1 < rest_.size()) {
        ++at;
      }
      value.push_back(rest_[at]);
    }
    return std::nullopt;
  }

  // After the bracket. The type of the first element is that of all, which need not repeat it.
  template <class T>
  std::optional<BusValue> list_of() {
    std::vector<T> list;
    while (!take("]")) {
      if (!list.empty() && !take(",")) {
        return std::nullopt;
      }
      skip_spaces();
      if constexpr (std::is_same_v<T, std::string>) {
        auto parsed = rest_.starts_with('\'') || rest_.starts_with('"') ? text() : std::nullopt;
        if (!parsed) {
          return std::nullopt;
        }
        list.push_back(std::move(*parsed));
      } else {
        take("byte ") || take("uint32 ");
        const auto parsed = number<T>();
        if (!parsed) {
          return std::nullopt;
        }
        list.push_back(std::get<T>(*parsed));
      }
    }
    return list;
  }

  std::string_view rest_;
};

// As systemd's own command line takes a time: a number of seconds.
std::optional<BusValue> to_microseconds(const BusValue& seconds) {
  constexpr double kSecond = 1e6;
  return std::visit(
      [](const auto& value) -> std::optional<BusValue> {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) {
          if (value >= T{0} && static_cast<double>(value) < 1e12) {
            return static_cast<std::uint64_t>(static_cast<double>(value) * kSecond);
          }
        }
        return std::nullopt;
      },
      seconds);
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

Result<UnitProperty> parse_property(const std::string& key, const std::string& text) {
  constexpr std::size_t kShortestName = 3;
  UnitProperty property{.name = key.substr(kPrefix.size()), .value = {}};
  const std::string pointer = "/annotations/" + one_line(key);
  if (property.name.size() < kShortestName || !std::ranges::all_of(property.name, is_letter)) {
    return fail(ErrorKind::kConfig, "{}: the name of a unit's property has letters only", pointer);
  }
  auto value = ValueParser(text).parse();
  if (!value) {
    return fail(ErrorKind::kConfig, "{}: got {}, expected a value such as {}", pointer, one_line(text), kExpected);
  }
  if (property.name.ends_with("Sec") && !property.name.ends_with("USec")) {
    value = to_microseconds(*value);
    if (!value) {
      return fail(ErrorKind::kConfig, "{}: got {}, expected a number of seconds", pointer, one_line(text));
    }
    property.name.insert(property.name.size() - kShortestName, "U");
  }
  property.value = std::move(*value);
  return property;
}

}  // namespace

Result<std::vector<UnitProperty>> annotated_properties(const std::map<std::string, std::string>& annotations) {
  std::vector<UnitProperty> properties;
  for (const auto& [key, text] : annotations) {
    if (key.starts_with(kPrefix)) {
      properties.push_back(TRY(parse_property(key, text)));
    }
  }
  return properties;
}

}  // namespace berth::cgroup::systemd
