#pragma once

#include <cstddef>
#include <cstdio>

namespace probe {

/// Writes one JSON document piece by piece; the caller keeps the order of calls right.
class JsonWriter {
 public:
  explicit JsonWriter(FILE* out) : out_(out) {}

  void begin_object() { open('{'); }
  void end_object() { close('}'); }
  void begin_array() { open('['); }
  void end_array() { close(']'); }

  void key(const char* name) {
    separate();
    text(name, length(name));
    std::fputc(':', out_);
    after_key_ = true;
  }

  void string(const char* value) { string(value, length(value)); }
  void string(const char* value, std::size_t size) {
    separate();
    text(value, size);
  }
  void number(long long value) {
    separate();
    std::fprintf(out_, "%lld", value);
  }
  void unsigned_number(unsigned long long value) {
    separate();
    std::fprintf(out_, "%llu", value);
  }
  void boolean(bool value) {
    separate();
    std::fputs(value ? "true" : "false", out_);
  }

  void field(const char* name, long long value) {
    key(name);
    number(value);
  }
  void field(const char* name, const char* value) {
    key(name);
    string(value);
  }
  void flag(const char* name, bool value) {
    key(name);
    boolean(value);
  }

 private:
  static std::size_t length(const char* value) {
    std::size_t size = 0;
    while (value[size] != '\0') {
      ++size;
    }
    return size;
  }

  void open(char bracket) {
    separate();
    std::fputc(bracket, out_);
    first_ = true;
  }
  void close(char bracket) {
    std::fputc(bracket, out_);
    first_ = false;
  }

  void separate() {
    if (!first_ && !after_key_) {
      std::fputc(',', out_);
    }
    first_ = false;
    after_key_ = false;
  }

  // Bytes above 0x7e go out as Latin-1 code points, so that whatever was seen stays a valid document.
  void text(const char* value, std::size_t size) {
    std::fputc('"', out_);
    for (std::size_t i = 0; i < size; ++i) {
      const auto byte = static_cast<unsigned char>(value[i]);
      if (byte == '"' || byte == '\\') {
        std::fputc('\\', out_);
        std::fputc(byte, out_);
      } else if (byte < 0x20 || byte > 0x7e) {
        std::fprintf(out_, "\\u%04x", byte);
      } else {
        std::fputc(byte, out_);
      }
    }
    std::fputc('"', out_);
  }

  FILE* out_;
  bool first_ = true;
  bool after_key_ = false;
};

}  // namespace probe
