// A JSON document in memory, as small as the reader needs it.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace berth::spec {

struct Value;
struct Member;
using Array = std::vector<Value>;
/// In the order of the document; no name stands twice.
using Object = std::vector<Member>;

/// A number with a fraction, an exponent, or beyond 64 bits, as it is written: no property has such a value, but errors
/// show it.
struct OtherNumber {
  std::string text;
};

struct Value {
  /// An unsigned integer is std::uint64_t; std::int64_t holds the negative ones.
  std::variant<std::monostate, bool, std::uint64_t, std::int64_t, OtherNumber, std::string, Array, Object> data;

  [[nodiscard]] bool is_null() const { return std::holds_alternative<std::monostate>(data); }
};

struct Member {
  std::string name;
  Value value;
  bool read = false;  ///< some property of the configuration was read from it
};

}  // namespace berth::spec
