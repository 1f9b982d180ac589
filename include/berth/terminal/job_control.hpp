// The caller's terminal as a shell with job control hands it round (credentials(7), "Process group ID and session ID").
#pragma once

namespace berth::terminal {

/// Whether the calling process may read the terminal at `fd` and change its settings: it is in the terminal's
/// foreground, or the terminal is not the one of its session, or `fd` is none.
[[nodiscard]] bool is_foreground(int fd);

/// Stops the calling process as the signal (SIGTSTP, SIGTTOU), which may be blocked, does by default. Returns
/// when it was continued; at once where no shell is that could do so (an orphaned process group).
void stop_as_job(int signal);

/// What every program does that needs the terminal and was started in the background: stops until it is brought to the
/// foreground; again, where it is continued in the background. Goes on there if nothing stops it (an orphaned process
/// group, SIGTTOU ignored).
void await_foreground();

}  // namespace berth::terminal
