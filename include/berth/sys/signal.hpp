// Signals and process groups.
#pragma once

#include <berth/base/error.hpp>

#include <sys/types.h>

namespace berth::sys {

/// Gives every signal its default action and unblocks all: an ignored or blocked signal would stay so through exec.
void reset_signals();
/// Gives SIGCHLD its default action: with an inherited SIG_IGN the kernel would reap every child and forget its status.
void keep_child_statuses();
/// setpgid(2): `process` (0: the calling one) becomes the leader of a process group of its own.
Status lead_process_group(pid_t process);
/// kill(2) with SIGKILL to all processes of a group. The caller holds the leader unreaped, so that the number is not
/// another group's.
Status kill_process_group(pid_t group);

}  // namespace berth::sys
