// Reads typed values out of a JSON document and knows, when one is wrong, the JSON pointer of where it stands.
#pragma once

#include <berth/base/log.hpp>
#include <berth/spec/problems.hpp>

#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spec/json_value.hpp"

namespace berth::spec {

/// A value and the way to it. Costs nothing until an error needs the pointer: it is a chain through the stack.
class Cursor {
 public:
  Cursor(Value& document, Problems& problems) : value_(document), problems_(problems) {}
  Cursor(const Cursor& parent, std::string_view name, Value& value)
      : value_(value), problems_(parent.problems_), parent_(&parent), name_(name) {}
  Cursor(const Cursor& parent, std::size_t index, Value& value)
      : value_(value), problems_(parent.problems_), parent_(&parent), index_(index) {}

  [[nodiscard]] Value& value() const { return value_; }
  [[nodiscard]] std::string pointer() const;
  /// Records that something else than `what` stands here.
  void expected(std::string_view what) const;
  /// Records that the member `name` of this object is missing.
  void missing(std::string_view name) const;

 private:
  Value& value_;
  Problems& problems_;
  const Cursor* parent_ = nullptr;
  std::string_view name_;
  std::optional<std::size_t> index_;
};

// read(cursor, out) leaves `out` alone and records a problem when the value does not fit.

void read(const Cursor& at, bool& out);
void read(const Cursor& at, std::string& out);

/// An integer of the document within [minimum, maximum]; both are of the same sign or minimum is 0.
void read_signed(const Cursor& at, std::int64_t minimum, std::int64_t maximum, std::int64_t& out);
void read_unsigned(const Cursor& at, std::uint64_t maximum, std::uint64_t& out);

template <std::integral Integer>
void read(const Cursor& at, Integer& out) {
  using Limits = std::numeric_limits<Integer>;
  if constexpr (std::signed_integral<Integer>) {
    std::int64_t wide = out;
    read_signed(at, Limits::min(), Limits::max(), wide);
    out = static_cast<Integer>(wide);
  } else {
    std::uint64_t wide = out;
    read_unsigned(at, Limits::max(), wide);
    out = static_cast<Integer>(wide);
  }
}

template <class Element>
void read(const Cursor& at, std::vector<Element>& out) {
  auto* array = std::get_if<Array>(&at.value().data);
  if (array == nullptr) {
    at.expected("an array");
    return;
  }
  out.resize(array->size());
  for (std::size_t index = 0; index < array->size(); ++index) {
    read(Cursor(at, index, (*array)[index]), out[index]);
  }
}

template <class Element>
void read(const Cursor& at, std::map<std::string, Element>& out) {
  auto* object = std::get_if<Object>(&at.value().data);
  if (object == nullptr) {
    at.expected("an object");
    return;
  }
  for (Member& member : *object) {
    const Cursor element(at, member.name, member.value);
    if (member.name.find('\0') != std::string::npos) {
      element.expected("a name without NUL");
      continue;
    }
    read(element, out[member.name]);
  }
}

template <class Inner>
void read(const Cursor& at, std::optional<Inner>& out) {
  read(at, out.emplace());
}

/// The members of an object. Its end logs those that nobody asked for.
class Fields {
 public:
  explicit Fields(const Cursor& at) : at_(at), object_(std::get_if<Object>(&at.value().data)) {
    if (object_ == nullptr) {
      at.expected("an object");
    }
  }
  Fields(const Fields&) = delete;
  Fields& operator=(const Fields&) = delete;
  ~Fields() {
    if (object_ != nullptr && log::enabled(log::Level::kDebug)) {
      log_unknown();
    }
  }

  /// Reads the member if it is there and not null.
  template <class T>
  Fields& optional(std::string_view name, T& out) {
    if (Member* member = find(name); member != nullptr && !member->value.is_null()) {
      read(Cursor(at_, member->name, member->value), out);
    }
    return *this;
  }
  template <class T>
  Fields& required(std::string_view name, T& out) {
    if (object_ == nullptr) {
      return *this;
    }
    if (Member* member = find(name); member != nullptr) {
      read(Cursor(at_, member->name, member->value), out);
    } else {
      at_.missing(name);
    }
    return *this;
  }
  /// Whether the member is there and not null.
  [[nodiscard]] bool has(std::string_view name) {
    const Member* member = find(name);
    return member != nullptr && !member->value.is_null();
  }

 private:
  Member* find(std::string_view name) {
    if (object_ == nullptr) {
      return nullptr;
    }
    for (Member& member : *object_) {
      if (member.name == name) {
        member.read = true;
        return &member;
      }
    }
    return nullptr;
  }
  void log_unknown() const;

  const Cursor& at_;
  Object* object_;
};

}  // namespace berth::spec
