// What a container uses and suffers, as lines of JSON.
#pragma once

#include <berth/base/error.hpp>
#include <berth/container/state_store.hpp>

#include <chrono>
#include <functional>
#include <string>

namespace berth::container {

/// Takes one event, without a newline.
using EventSink = std::function<Status(const std::string& event)>;

/// The statistics of this moment.
Status print_statistics(const StateStore& store, const std::string& id, const EventSink& sink);
/// Statistics each time `interval` has passed, and a notice as soon as the kernel has killed for lack of memory, until
/// the container's process has ended. Holds no lock: the container is looked at, nothing more.
Status watch(const StateStore& store, const std::string& id, std::chrono::milliseconds interval, const EventSink& sink);

}  // namespace berth::container
