#include <berth/launch/passed_descriptors.hpp>
#include <berth/sys/process.hpp>

#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>

namespace berth::launch {
namespace {

std::optional<unsigned> number_in(const char* variable) {
  const char* value = std::getenv(variable);
  if (value == nullptr) {
    return std::nullopt;
  }
  const std::string_view text(value);
  unsigned number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
    return std::nullopt;
  }
  return number;
}

}  // namespace

PassedDescriptors passed_descriptors(unsigned preserve) {
  // More than any process can have open; what is not open is refused later, by its number.
  constexpr unsigned kMostDescriptors = 1U << 20U;
  PassedDescriptors passed;
  passed.preserve = preserve;
  const auto count = number_in("LISTEN_FDS");
  if (count && *count <= kMostDescriptors && number_in("LISTEN_PID") == static_cast<unsigned>(sys::own_pid())) {
    passed.listen = *count;
    const char* names = std::getenv("LISTEN_FDNAMES");
    passed.listen_names = names != nullptr ? names : "";
  }
  return passed;
}

}  // namespace berth::launch
