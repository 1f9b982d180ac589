// The container's terminal.
#pragma once

#include <berth/base/error.hpp>
#include <berth/path/root_dir.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/sys/unique_fd.hpp>

#include <optional>
#include <string>

namespace berth::terminal {

struct Pty {
  sys::UniqueFd master;
  sys::UniqueFd slave;
};

/// A new pair from the container's own devpts: /dev/pts/ptmx below `root`, verified to be devpts' multiplexer and never
/// followed, and the slave by TIOCGPTPEER, so that no name is looked up in the container (CVE-2025-52565).
Result<Pty> open_pty(const path::RootDir& root, const std::optional<plan::ConsoleSize>& size);

/// Makes `slave` the calling process's descriptors 0, 1 and 2, owned by `uid`.
Status use_as_stdio(int slave, uid_t uid);
/// Makes the terminal at stdin the controlling one of the calling session leader.
Status control_by_stdin();

/// Sends the master to whoever listens at --console-socket: one message, the text /dev/ptmx and the descriptor.
Status send_master(const std::string& console_socket, int master);

}  // namespace berth::terminal
