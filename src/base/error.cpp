#include <berth/base/error.hpp>

#include <cctype>
#include <cstring>

namespace berth {

std::string errno_text(int errnum) {
  const char* text = ::strerrordesc_np(errnum);
  return text != nullptr ? std::string(text) : fmt::format("errno {}", errnum);
}

std::string one_line(std::string_view text) {
  std::string line;
  line.reserve(text.size());
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte < 0x20 || byte == 0x7f) {
      line += fmt::format("\\x{:02x}", byte);
    } else {
      line += character;
    }
  }
  return line;
}

std::string Error::message() const {
  std::string text;
  for (const std::string& context : contexts_) {
    text += context;
    text += ": ";
  }
  text += operation_;
  if (errnum_ != 0) {
    text += operation_.empty() ? "" : ": ";
    std::string cause = errno_text(errnum_);
    if (kind_ == ErrorKind::kExec) {
      // Docker's client finds its exit status, 126 or 127, by Go's spelling, which has no capital.
      cause.front() = static_cast<char>(std::tolower(static_cast<unsigned char>(cause.front())));
    }
    text += cause;
  }
  if (!hint_.empty()) {
    text += " (";
    text += hint_;
    text += ")";
  }
  return one_line(text);
}

}  // namespace berth
