// What libstdc++ calls before it aborts. Its own functions bring 60 KB of demangler and debug mode for their messages.
#include <unistd.h>

#include <cstdlib>
#include <cstring>

// NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,cert-dcl58-cpp,readability-identifier-naming):
// the library's names.

namespace __gnu_cxx {

// An exception that nobody caught; main() catches them all.
[[noreturn]] void __verbose_terminate_handler() {
  std::abort();
}

}  // namespace __gnu_cxx

namespace std {

// _GLIBCXX_ASSERTIONS: an index or an iterator out of range.
void __glibcxx_assert_fail(const char* /*file*/, int /*line*/, const char* /*function*/,
                           const char* condition) noexcept {
  const auto say = [](const char* text) { static_cast<void>(::write(STDERR_FILENO, text, std::strlen(text)) < 0); };
  say("berth: assertion of the C++ library failed: ");
  say(condition != nullptr ? condition : "unknown");
  say("\n");
  std::abort();
}

}  // namespace std

// NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,cert-dcl58-cpp,readability-identifier-naming)
