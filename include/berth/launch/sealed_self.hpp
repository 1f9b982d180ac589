#pragma once

#include <berth/base/error.hpp>

namespace berth::launch {

/// Executes berth anew, with the same arguments and environment, from a mount of its file that is read-only and in no
/// mount namespace, or, without the privilege for that, from a sealed memory file; unless it runs from such a one
/// already. Through /proc/PID/exe of this process nobody can write to the host's file then (CVE-2019-5736). Needed
/// where other processes of the container can look at this one before it executes the container's program: a joined pid
/// namespace, startContainer hooks, and a seccomp listener, for which berth loads the filter itself. Returns
/// only if there is nothing to do or on failure.
Status ensure_sealed_self(char* const* argv);

}  // namespace berth::launch
