#include "spec/json_writer.hpp"

#include <berth/base/log.hpp>

namespace berth::spec {

void JsonWriter::newline() {
  if (indented_) {
    text_ += '\n';
    text_.append(depth_ * 2, ' ');
  }
}

void JsonWriter::item() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (!first_) {
    text_ += ',';
  }
  first_ = false;
  if (depth_ > 0) {
    newline();
  }
}

void JsonWriter::begin(char bracket) {
  item();
  text_ += bracket;
  ++depth_;
  first_ = true;
}

void JsonWriter::end(char bracket) {
  --depth_;
  if (!first_) {
    newline();
  }
  text_ += bracket;
  first_ = false;
}

void JsonWriter::quote(std::string_view text) {
  text_ += '"';
  text_ += log::json_escape(text);
  text_ += '"';
}

void JsonWriter::key(std::string_view name) {
  item();
  quote(name);
  text_ += indented_ ? ": " : ":";
  after_key_ = true;
}

void JsonWriter::value(std::string_view text) {
  item();
  quote(text);
}

void JsonWriter::number(std::string_view text) {
  item();
  text_ += text;
}

void JsonWriter::value(bool boolean) {
  item();
  text_ += boolean ? "true" : "false";
}

}  // namespace berth::spec
