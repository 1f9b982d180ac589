// Writes JSON text.
#pragma once

#include <berth/spec/state.hpp>

#include <concepts>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace berth::spec {

/// Appends one document to a string, value by value; the caller keeps begin and end in balance.
class JsonWriter {
 public:
  explicit JsonWriter(Layout layout) : indented_(layout == Layout::kIndented) {}

  void begin_object() { begin('{'); }
  void end_object() { end('}'); }
  void begin_array() { begin('['); }
  void end_array() { end(']'); }
  /// The name of the member whose value comes next.
  void key(std::string_view name);

  void value(std::string_view text);
  void value(const char* text) { value(std::string_view(text)); }
  void value(bool boolean);
  /// A number (or null) in JSON's own form, as the kernel has written it: 0.12.
  void number(std::string_view text);
  template <std::integral Integer>
  void value(Integer number) {
    item();
    text_ += std::to_string(number);
  }

  template <class T>
  void member(std::string_view name, const T& content) {
    key(name);
    value(content);
  }
  template <class Strings>
  void string_array(std::string_view name, const Strings& strings) {
    key(name);
    begin_array();
    for (const auto& text : strings) {
      value(std::string_view(text));
    }
    end_array();
  }
  /// Of pairs of strings.
  template <class Pairs>
  void string_object(std::string_view name, const Pairs& pairs) {
    key(name);
    begin_object();
    for (const auto& [left, right] : pairs) {
      member(left, std::string_view(right));
    }
    end_object();
  }

  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  void begin(char bracket);
  void end(char bracket);
  void item();     // what must stand before a value or a name
  void newline();  // with the indentation of the depth
  void quote(std::string_view text);

  std::string text_;
  bool indented_;
  std::size_t depth_ = 0;
  bool first_ = true;       // nothing stands in the innermost container yet
  bool after_key_ = false;  // the next value belongs to a name that is written
};

}  // namespace berth::spec
