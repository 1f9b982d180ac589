#include "spec/json_reader.hpp"

namespace berth::spec {
namespace {

// What stands in the document, for a message.
std::string describe(const Value& value) {
  struct {
    std::string operator()(std::monostate /*null*/) const { return "null"; }
    std::string operator()(bool boolean) const { return boolean ? "true" : "false"; }
    std::string operator()(std::uint64_t number) const { return fmt::format("{}", number); }
    std::string operator()(std::int64_t number) const { return fmt::format("{}", number); }
    std::string operator()(const OtherNumber& number) const { return shortened(number.text); }
    std::string operator()(const std::string& text) const { return quoted(text); }
    std::string operator()(const Array& /*array*/) const { return "an array"; }
    std::string operator()(const Object& /*object*/) const { return "an object"; }
  } const description;
  return std::visit(description, value.data);
}

}  // namespace

std::string Cursor::pointer() const {
  if (parent_ == nullptr) {
    return "";
  }
  return parent_->pointer() + (index_ ? fmt::format("/{}", *index_) : pointer_step(name_));
}

void Cursor::expected(std::string_view what) const {
  problems_.add(pointer(), describe(value_), what);
}

void Cursor::missing(std::string_view name) const {
  problems_.add(pointer() + pointer_step(name), "nothing", "this property");
}

void read(const Cursor& at, bool& out) {
  if (const auto* boolean = std::get_if<bool>(&at.value().data)) {
    out = *boolean;
  } else {
    at.expected("true or false");
  }
}

void read(const Cursor& at, std::string& out) {
  auto* text = std::get_if<std::string>(&at.value().data);
  if (text == nullptr) {
    at.expected("a string");
  } else if (text->find('\0') != std::string::npos) {
    at.expected("a string without NUL");
  } else {
    out = std::move(*text);
  }
}

void read_signed(const Cursor& at, std::int64_t minimum, std::int64_t maximum, std::int64_t& out) {
  const Value& value = at.value();
  if (const auto* number = std::get_if<std::int64_t>(&value.data); number != nullptr && *number >= minimum) {
    out = *number;
  } else if (const auto* positive = std::get_if<std::uint64_t>(&value.data);
             positive != nullptr && *positive <= static_cast<std::uint64_t>(maximum)) {
    out = static_cast<std::int64_t>(*positive);
  } else {
    at.expected(fmt::format("an integer from {} to {}", minimum, maximum));
  }
}

void read_unsigned(const Cursor& at, std::uint64_t maximum, std::uint64_t& out) {
  const auto* number = std::get_if<std::uint64_t>(&at.value().data);
  if (number != nullptr && *number <= maximum) {
    out = *number;
  } else {
    at.expected(fmt::format("an integer from 0 to {}", maximum));
  }
}

void Fields::log_unknown() const {
  for (const Member& member : *object_) {
    if (!member.read) {
      log::debug("{}{}: unknown property, ignored", at_.pointer(), pointer_step(member.name));
    }
  }
}

}  // namespace berth::spec
