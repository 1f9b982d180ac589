// The one error type of the runtime, and how functions hand it on.
#pragma once

#include <cstdint>
#include <expected>
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace berth {

/// What an error is about; engines and the exit status depend on it, people read the text.
enum class ErrorKind : std::uint8_t {
  kUsage,     ///< the command line
  kConfig,    ///< config.json, or another document of the caller's
  kNotFound,  ///< the container does not exist
  kExists,    ///< the container exists already
  kState,     ///< the container is in the wrong state for the command
  kSystem,    ///< a system call failed; errnum() says how
  kExec,      ///< the container's program cannot be started
  kInternal,  ///< a rule of this program was broken
};

/// One failure: what was done (with its arguments), errno if a system call failed, a chain of context from the
/// outside in, and the cure where one is known. Printed as `context: context: operation: errno text (hint)`.
class Error {
 public:
  Error(ErrorKind kind, std::string operation) : kind_(kind), operation_(std::move(operation)) {}

  /// A failed system call: `operation` is the call with its arguments, as in `openat2(<rootfs>/proc)`.
  static Error system(int errnum, std::string operation) {
    Error error(ErrorKind::kSystem, std::move(operation));
    error.errnum_ = errnum;
    return error;
  }

  [[nodiscard]] ErrorKind kind() const { return kind_; }
  /// The errno of the failed call; 0 if no system call failed.
  [[nodiscard]] int errnum() const { return errnum_; }
  [[nodiscard]] bool is(int errnum) const { return errnum_ == errnum; }
  [[nodiscard]] const std::string& operation() const { return operation_; }
  /// Outermost first.
  [[nodiscard]] const std::vector<std::string>& contexts() const { return contexts_; }
  [[nodiscard]] const std::string& hint() const { return hint_; }

  /// Puts what the callee could not know in front.
  Error& add_context(std::string text) {
    contexts_.insert(contexts_.begin(), std::move(text));
    return *this;
  }
  /// What the reader can do about it; the first (innermost) hint stays.
  Error& add_hint(std::string text) {
    if (hint_.empty()) {
      hint_ = std::move(text);
    }
    return *this;
  }
  Error& set_kind(ErrorKind kind) {
    kind_ = kind;
    return *this;
  }
  Error& set_errnum(int errnum) {
    errnum_ = errnum;
    return *this;
  }

  /// One line, without the program's name and without a newline (control characters are escaped). The errno text of
  /// a kExec error begins with a small letter.
  [[nodiscard]] std::string message() const;

 private:
  ErrorKind kind_;
  int errnum_ = 0;
  std::string operation_;
  std::vector<std::string> contexts_;
  std::string hint_;
};

template <class T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

/// `return fail(ErrorKind::kState, "cannot pause a {} container", status);`
template <class... Args>
[[nodiscard]] std::unexpected<Error> fail(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(Error(kind, fmt::format(format, std::forward<Args>(args)...)));
}

/// For a failed system call: `return sys_fail(errno, "openat({})", path);`
template <class... Args>
[[nodiscard]] std::unexpected<Error> sys_fail(int errnum, fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(Error::system(errnum, fmt::format(format, std::forward<Args>(args)...)));
}

/// errno's text in the C locale ("No such file or directory"), or "errno N" for a number that has none.
[[nodiscard]] std::string errno_text(int errnum);

/// Writes control characters (newline included) as \xNN, so that a text of the caller's stays on one line.
[[nodiscard]] std::string one_line(std::string_view text);

namespace detail {
template <class T>
T unwrap(Result<T>&& result) {
  if constexpr (!std::is_void_v<T>) {
    return std::move(*result);
  }
}
}  // namespace detail

}  // namespace berth

// TRY(expression) is the value of a Result, or returns its error from the calling function.
// TRY_CONTEXT(expression, "mask {}", path) does the same and puts a context in front of the error;
// the format's arguments are evaluated only then.
#define TRY(expression)                                        \
  __extension__({                                              \
    auto berth_result = (expression);                          \
    if (!berth_result) [[unlikely]] {                          \
      return std::unexpected(std::move(berth_result).error()); \
    }                                                          \
    ::berth::detail::unwrap(std::move(berth_result));          \
  })

#define TRY_CONTEXT(expression, ...)                                                                              \
  __extension__({                                                                                                 \
    auto berth_result = (expression);                                                                             \
    if (!berth_result) [[unlikely]] {                                                                             \
      return std::unexpected(std::move(std::move(berth_result).error().add_context(::fmt::format(__VA_ARGS__)))); \
    }                                                                                                             \
    ::berth::detail::unwrap(std::move(berth_result));                                                             \
  })
