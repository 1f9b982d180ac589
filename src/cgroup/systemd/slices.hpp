// The slices around a container's scope.
//
// One without a unit file is started by systemd for the first unit in it, and never stopped. Those that were made for
// containers alone go with the last of them; all others stay.
#pragma once

#include <berth/cgroup/cgroup.hpp>
#include <berth/sys/unique_fd.hpp>

#include "cgroup/systemd/bus.hpp"

namespace berth::cgroup::systemd {

/// A flock(2) of the cgroup of this systemd: LOCK_SH while a unit is started, from the mark to the scope, or LOCK_EX
/// while a slice is looked at and stopped. Else a slice could be found empty, then be used by a new unit that found it
/// running, and be stopped below that one: who removes it after that? The lock ends with the descriptor; it is not
/// valid where others (every user of the host can be one) hold it for too long.
sys::UniqueFd lock_slices(const Placement& placement, int operation);

/// Puts the mark of directory.hpp on the slices around the placement's unit that nobody has started and no file
/// describes: before systemd starts them, so that no crash leaves one without it. A slice that cannot be marked stays.
CallResult<void> mark_new_slices(Bus& bus, const Placement& placement);

/// Stops the slices around the unit that bear the mark, have nothing in them and still have no unit file.
void stop_marked_slices(const Placement& placement);

}  // namespace berth::cgroup::systemd
