#include <berth/base/log.hpp>
#include <berth/base/trace.hpp>

#include <time.h>
#include <unistd.h>

#include <fmt/format.h>
#include <string>

namespace berth::trace {
namespace detail {

int descriptor = -1;

}  // namespace detail

namespace {

constexpr double kNanosecondsPerMicrosecond = 1000.0;

Track track = Track::kCommand;

std::int64_t read_clock(clockid_t clock) {
  constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;
  struct timespec time {};
  static_cast<void>(::clock_gettime(clock, &time));  // fails for an unknown clock only
  return time.tv_sec * kNanosecondsPerSecond + time.tv_nsec;
}

// One write(2) for each event: O_APPEND keeps those of two processes apart. One that cannot be written is dropped:
// tracing never fails a command.
void write(const std::string& text) {
  [[maybe_unused]] const ssize_t written = ::write(detail::descriptor, text.data(), text.size());
}

void write_event(std::string_view name, std::string_view object, std::int64_t begin, std::int64_t end) {
  write(fmt::format(R"({{"name":"{}{}{}","ph":"X","ts":{:.3f},"dur":{:.3f},"pid":{},"tid":1}},)"
                    "\n",
                    name, object.empty() ? "" : " ", log::json_escape(object),
                    static_cast<double>(begin) / kNanosecondsPerMicrosecond,
                    static_cast<double>(end - begin) / kNanosecondsPerMicrosecond, static_cast<int>(track)));
}

std::string process_name(Track of, std::string_view name) {
  return fmt::format(R"({{"name":"process_name","ph":"M","pid":{},"tid":1,"args":{{"name":"{}"}}}})",
                     static_cast<int>(of), name);
}

}  // namespace

namespace detail {

std::int64_t now() {
  return read_clock(CLOCK_MONOTONIC);
}

void write_span(std::string_view name, std::string_view object, std::int64_t begin) {
  write_event(name, object, begin, now());
}

}  // namespace detail

void start(int fd) {
  detail::descriptor = fd;
  write(fmt::format("[\n{},\n{},\n", process_name(Track::kStage, "stage"),
                    process_name(Track::kContainer, "container's process")));
  // There is no clock that began with this process but the one of its own cpu time, and it has hardly waited until now.
  const std::int64_t end = detail::now();
  write_event("cpu time from the fork to here", {}, end - read_clock(CLOCK_PROCESS_CPUTIME_ID), end);
}

int fd() {
  return detail::descriptor;
}

void become(Track new_track) {
  track = new_track;
}

void stop() {
  detail::descriptor = -1;
}

Settings settings() {
  return {.fd = detail::descriptor, .track = track};
}

void restore(const Settings& settings) {
  detail::descriptor = settings.fd;
  track = settings.track;
}

void finish() {
  if (detail::descriptor >= 0) {
    write(process_name(Track::kCommand, "command") + "\n]\n");
    stop();
  }
}

}  // namespace berth::trace
