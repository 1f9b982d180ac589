// Where a start spends its time: events in the Chrome trace format, for chrome://tracing, Perfetto or a script.
#pragma once

#include <cstdint>
#include <string_view>

namespace berth::trace {

/// Of which process an event is. They are told apart by this number, not by their pids: the one of a new pid namespace
/// has pid 1.
enum class Track : std::uint8_t { kCommand = 1, kStage = 2, kContainer = 3 };

/// Writes events to `fd` from here on: borrowed, opened with O_APPEND, close-on-exec. What happened since the process
/// was made, up to now, is the first event.
void start(int fd);
/// The descriptor, which must stay open as long as there are events; -1 if nothing is traced.
[[nodiscard]] int fd();
/// In a new process: its events are of this track.
void become(Track track);
/// This process writes no more events.
void stop();
/// What start(), become() and stop() have set, and the way back to it.
struct Settings {
  int fd = -1;
  Track track = Track::kCommand;
};
[[nodiscard]] Settings settings();
void restore(const Settings& settings);
/// The last event of all; the file is complete JSON then.
void finish();

namespace detail {
extern int descriptor;  // NOLINT(bugprone-dynamic-static-initializers): -1, a constant
/// Nanoseconds of CLOCK_MONOTONIC.
[[nodiscard]] std::int64_t now();
void write_span(std::string_view name, std::string_view object, std::int64_t begin);
}  // namespace detail

/// An event from here to the end of the block. The texts must outlive it. Costs one comparison when nothing is traced.
class Span {
 public:
  explicit Span(std::string_view name, std::string_view object = {})
      : name_(name), object_(object), begin_(detail::descriptor >= 0 ? detail::now() : 0) {}
  ~Span() {
    if (detail::descriptor >= 0) {
      detail::write_span(name_, object_, begin_);
    }
  }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

 private:
  std::string_view name_;
  std::string_view object_;
  std::int64_t begin_;
};

}  // namespace berth::trace
