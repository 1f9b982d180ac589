#pragma once

#include <berth/base/error.hpp>

namespace berth::launch {

/// Executes berth anew from a sealed memory file with the same arguments and environment, unless it runs from one
/// already: /proc/PID/exe of this process then is no file of the host. Needed where other processes of the container
/// can look at this one before it executes the container's program: a joined pid namespace, startContainer
/// hooks, and an LSM label of the next exec, which leaves no exec for the trampoline. Returns only if there is nothing
/// to do or on failure.
Status ensure_sealed_self(char* const* argv);

}  // namespace berth::launch
