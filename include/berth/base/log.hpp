// Diagnostics for people and engines: the log file of --log, and stderr.
#pragma once

#include <berth/base/error.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace berth::log {

enum class Level : std::uint8_t { kDebug, kInfo, kWarning, kError };
enum class Format : std::uint8_t { kText, kJson };

struct Settings {
  int fd = -1;  ///< the log file or socket, borrowed and close-on-exec; -1: records go to stderr
  Format format = Format::kText;
  Level level = Level::kInfo;  ///< records below it are dropped
  /// For a log service, which has a record's level and time from elsewhere: takes the bare message, on one line, or the
  /// JSON record without its newline, in place of what is written to `fd`. May drop it, must not wait.
  std::function<void(Level level, std::string_view text)> send = {};
};

/// Set once, by the command line, before anything is logged.
void configure(const Settings& settings);
/// What is in force.
[[nodiscard]] const Settings& settings();

/// The descriptor of the log file or socket, which must stay open until exec; -1 if there is none.
[[nodiscard]] int fd();
[[nodiscard]] bool enabled(Level level);

/// Writes one record with one write(2): text `time="..." level=... msg="..."`, or JSON with level, msg and time
/// (RFC 3339, UTC), which engines parse. Or sends it. A record that cannot be written is dropped: logging never fails a
/// command.
void write(Level level, std::string_view message);

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::kDebug)) {
    write(Level::kDebug, fmt::format(format, std::forward<Args>(args)...));
  }
}

template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::kWarning)) {
    write(Level::kWarning, fmt::format(format, std::forward<Args>(args)...));
  }
}

/// The record as it is written, with its newline. `unix_nanoseconds` counts from 1970 in UTC.
[[nodiscard]] std::string format_record(Format format, Level level, std::string_view message,
                                        std::int64_t unix_nanoseconds);

/// Escapes a text for a JSON string, without the quotes; bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string json_escape(std::string_view text);

/// RFC 3339 in UTC with nanoseconds, as in 2026-11-20T19:34:00.123456789Z.
[[nodiscard]] std::string rfc3339(std::int64_t unix_nanoseconds);

}  // namespace berth::log
