// The slices around a container's scope.
//
// One without a unit file is started by systemd for the first unit in it, and never stopped. Those that were made for
// containers alone go with the last of them; all others stay.
#pragma once

#include <berth/cgroup/cgroup.hpp>

#include "cgroup/systemd/bus.hpp"

namespace berth::cgroup::systemd {

/// Puts the mark of directory.hpp on the slices around the placement's unit that nobody has started and no file
/// describes: before systemd starts them, so that no crash leaves one without it. A slice that cannot be marked stays.
CallResult<void> mark_new_slices(Bus& bus, const Placement& placement);

/// Stops the slices around the unit that bear the mark and have nothing in them.
void stop_marked_slices(const Placement& placement);

}  // namespace berth::cgroup::systemd
