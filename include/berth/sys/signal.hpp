// Signals and process groups.
#pragma once

#include <berth/base/error.hpp>

#include <sys/types.h>

namespace berth::sys {

/// At the start of the program, while /proc is the host's: remembers which signals the caller ignores, and gives
/// SIGCHLD its default action, because with an inherited SIG_IGN the kernel would reap every child and forget its
/// status.
Status adopt_signals();
/// In a child, before exec: gives the signals that are ignored their default action and unblocks all; an ignored or
/// blocked signal would stay so.
void reset_signals();
/// setpgid(2): `process` (0: the calling one) becomes the leader of a process group of its own.
Status lead_process_group(pid_t process);
/// kill(2) with SIGKILL to all processes of a group. The caller holds the leader unreaped, so that the number is not
/// another group's.
Status kill_process_group(pid_t group);

}  // namespace berth::sys
