// Tables from the names that configurations use to what they stand for.
#pragma once

#include <array>
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <vector>

namespace berth::plan {

template <class Value>
struct Named {
  std::string_view name;
  Value value;
};

/// What `name` stands for; null if the table does not have it.
template <class Value, std::size_t Size>
const Value* find(const std::array<Named<Value>, Size>& table, std::string_view name) {
  for (const Named<Value>& entry : table) {
    if (entry.name == name) {
      return &entry.value;
    }
  }
  return nullptr;
}

template <class Value, std::size_t Size>
std::vector<std::string_view> names(const std::array<Named<Value>, Size>& table) {
  std::vector<std::string_view> result;
  result.reserve(Size);
  for (const Named<Value>& entry : table) {
    result.push_back(entry.name);
  }
  return result;
}

/// "one of a, b, c", for errors.
template <class Value, std::size_t Size>
std::string one_of(const std::array<Named<Value>, Size>& table) {
  return fmt::format("one of {}", fmt::join(names(table), ", "));
}

}  // namespace berth::plan
