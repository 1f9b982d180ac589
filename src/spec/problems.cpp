#include <berth/spec/problems.hpp>

namespace berth::spec {
namespace {

// A pointer holds names of the document, which can be of any length.
constexpr std::size_t kPointerLimit = 240;

}  // namespace

void Problems::add(std::string_view pointer, std::string_view got, std::string_view expected) {
  ++count_;
  if (shown_.size() < kShown) {
    shown_.push_back(fmt::format("{}: got {}, expected {}",
                                 pointer.empty() ? "the document" : shortened(pointer, kPointerLimit), got, expected));
  }
}

Error Problems::error() const {
  std::string text = fmt::format("{}", fmt::join(shown_, "; "));
  if (count_ > shown_.size()) {
    text += fmt::format("; and {} more", count_ - shown_.size());
  }
  return {ErrorKind::kConfig, std::move(text)};
}

std::string shortened(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) {
    return std::string(text);
  }
  std::size_t end = limit;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) {
    --end;  // not in the middle of a UTF-8 sequence
  }
  return fmt::format("{}...", text.substr(0, end));
}

std::string quoted(std::string_view text) {
  return '"' + one_line(shortened(text)) + '"';
}

std::string pointer_step(std::string_view name) {
  std::string step = "/";
  for (const char character : name) {
    if (character == '~') {
      step += "~0";
    } else if (character == '/') {
      step += "~1";
    } else {
      step += character;
    }
  }
  return step;
}

}  // namespace berth::spec
