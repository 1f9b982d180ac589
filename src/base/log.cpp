#include <berth/base/log.hpp>

#include <time.h>
#include <unistd.h>

#include <array>
#include <chrono>

namespace berth::log {
namespace {

Settings current;

constexpr std::array<std::string_view, 4> kLevelNames = {"debug", "info", "warning", "error"};

// Length of the well-formed UTF-8 sequence at the start of `text`, 0 if there is none (RFC 3629, table 3-7 of Unicode).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t index) { return static_cast<unsigned char>(text[index]); };
  const unsigned char first = byte(0);
  if (first < 0x80) {
    return 1;
  }
  std::size_t length = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xbf;
  if (first >= 0xc2 && first <= 0xdf) {
    length = 2;
  } else if (first >= 0xe0 && first <= 0xef) {
    length = 3;
    low = first == 0xe0 ? 0xa0 : low;
    high = first == 0xed ? 0x9f : high;
  } else if (first >= 0xf0 && first <= 0xf4) {
    length = 4;
    low = first == 0xf0 ? 0x90 : low;
    high = first == 0xf4 ? 0x8f : high;
  } else {
    return 0;
  }
  if (text.size() < length || byte(1) < low || byte(1) > high) {
    return 0;
  }
  for (std::size_t index = 2; index < length; ++index) {
    if (byte(index) < 0x80 || byte(index) > 0xbf) {
      return 0;
    }
  }
  return length;
}

}  // namespace

void configure(const Settings& new_settings) {
  current = new_settings;
}

const Settings& settings() {
  return current;
}

int fd() {
  return current.fd;
}

bool enabled(Level level) {
  return level >= current.level;
}

std::string json_escape(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) {
      escaped += "\xef\xbf\xbd";
      text.remove_prefix(1);
      continue;
    }
    const auto first = static_cast<unsigned char>(text.front());
    if (first == '"' || first == '\\') {
      escaped += '\\';
      escaped += text.front();
    } else if (first < 0x20) {
      escaped += fmt::format("\\u{:04x}", first);
    } else {
      escaped += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return escaped;
}

std::string rfc3339(std::int64_t unix_nanoseconds) {
  // Not gmtime(3): it reads the time zone's file first, at every start, for a time that has no zone.
  using namespace std::chrono;
  const sys_time<nanoseconds> time{nanoseconds(unix_nanoseconds)};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss<nanoseconds> clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

std::string format_record(Format format, Level level, std::string_view message, std::int64_t unix_nanoseconds) {
  const std::string_view name = kLevelNames.at(static_cast<std::size_t>(level));
  if (format == Format::kJson) {
    return fmt::format("{{\"level\":\"{}\",\"msg\":\"{}\",\"time\":\"{}\"}}\n", name, json_escape(message),
                       rfc3339(unix_nanoseconds));
  }
  return fmt::format("time=\"{}\" level={} msg=\"{}\"\n", rfc3339(unix_nanoseconds), name, json_escape(message));
}

void write(Level level, std::string_view message) {
  if (!enabled(level)) {
    return;
  }
  struct timespec now {};
  static_cast<void>(::clock_gettime(CLOCK_REALTIME, &now));  // fails for an unknown clock only
  constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;
  if (current.send && current.format == Format::kText) {
    current.send(level, one_line(message));
    return;
  }
  const std::string record =
      format_record(current.format, level, message, now.tv_sec * kNanosecondsPerSecond + now.tv_nsec);
  if (current.send) {
    current.send(level, std::string_view(record).substr(0, record.size() - 1));
    return;
  }
  const int target = current.fd >= 0 ? current.fd : STDERR_FILENO;
  // A full disk or a closed pipe must not fail the command that is being logged.
  [[maybe_unused]] const ssize_t written = ::write(target, record.data(), record.size());
}

}  // namespace berth::log
