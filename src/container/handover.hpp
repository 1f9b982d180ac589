// What the commands that make a process (`create`, `run`, `exec`) take from their caller and give to it.
#pragma once

#include <berth/base/error.hpp>
#include <berth/launch/passed_descriptors.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/sys/process.hpp>
#include <berth/sys/unique_fd.hpp>
#include <berth/terminal/relay.hpp>

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

namespace berth::container {

/// Checks that all that is to be passed on is open, and closes what else the caller leaked into this process, which is
/// no business of a container (CVE-2024-21626); stdio and the log stay. To be called before anything is opened that
/// could take a number which the caller has promised.
Status take_descriptors(const launch::PassedDescriptors& passed);

/// Whether a detached terminal has a console socket, and only a terminal has one.
Status check_terminal(const plan::Process& process, const std::string& console_socket, bool detached);

/// Hands the terminal's master to the console socket, or puts the caller's own terminal in front of it; nothing without
/// a terminal. To be done before the program runs, which may look at the size of its window at once.
Result<std::optional<terminal::Relay>> connect_terminal(sys::UniqueFd terminal, const std::string& console_socket,
                                                        bool size_is_set);

/// One message with the name "pidfd" and the descriptor; nothing for an empty path. `whose` is what names the socket,
/// for an error.
Status send_pidfd(const std::string& socket, std::string_view whose, const sys::Pidfd& pidfd);

/// --pid-file, put in place by rename(2) and without a newline; nothing for an empty path.
Status write_pid_file(const std::string& path, pid_t pid);

}  // namespace berth::container
