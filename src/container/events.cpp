#include <berth/cgroup/oom_watch.hpp>
#include <berth/container/events.hpp>

#include <algorithm>
#include <array>
#include <limits>

#include "container/observation.hpp"

namespace berth::container {
namespace {

using Clock = std::chrono::steady_clock;

struct Watched {
  cgroup::Cgroup cgroup;
  sys::Pidfd process;
};

Result<Watched> find_living(const StateStore& store, const std::string& id) {
  const ContainerDirectory directory = TRY(store.open(id));
  const auto record = TRY(directory.load());
  Observation observation = TRY(observe(directory, record));
  if (!observation.process) {
    return fail(ErrorKind::kState, "container not running");
  }
  return Watched{cgroup::Cgroup::open(placement_of(*record)), std::move(*observation.process)};
}

std::chrono::milliseconds until(Clock::time_point moment) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(moment - Clock::now());
  return std::clamp(left, std::chrono::milliseconds(0), std::chrono::milliseconds(std::numeric_limits<int>::max()));
}

}  // namespace

Status print_statistics(const StateStore& store, const std::string& id, const EventSink& sink) {
  const Watched watched = TRY(find_living(store, id));
  return sink(spec::stats_event_json(id, watched.cgroup.statistics()));
}

Status watch(const StateStore& store, const std::string& id, std::chrono::milliseconds interval,
             const EventSink& sink) {
  const Watched watched = TRY(find_living(store, id));
  cgroup::OomWatch oom = TRY(cgroup::OomWatch::open(watched.cgroup.placement()));
  auto next = Clock::now() + interval;
  for (;;) {
    std::array<pollfd, 2> polled = {pollfd{.fd = watched.process.get(), .events = POLLIN, .revents = 0}, oom.request()};
    TRY(sys::poll_events(polled, until(next)));
    // Who was killed ends in the same moment: the notice comes first, then the end.
    if (TRY(oom.take())) {
      TRY(sink(spec::oom_event_json(id)));
    }
    if (polled[0].revents != 0) {
      return {};
    }
    if (Clock::now() >= next) {
      TRY(sink(spec::stats_event_json(id, watched.cgroup.statistics())));
      next += interval;
    }
  }
}

}  // namespace berth::container
