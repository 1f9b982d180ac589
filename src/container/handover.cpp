#include "container/handover.hpp"

#include <berth/base/log.hpp>
#include <berth/base/trace.hpp>
#include <berth/sys/file.hpp>
#include <berth/sys/socket.hpp>
#include <berth/terminal/pty.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace berth::container {

Status take_descriptors(const launch::PassedDescriptors& passed) {
  for (unsigned fd = launch::PassedDescriptors::kFirst; fd < passed.end(); ++fd) {
    if (::fcntl(static_cast<int>(fd), F_GETFD) < 0) {
      return sys_fail(errno, "{}: descriptor {}",
                      fd < launch::PassedDescriptors::kFirst + passed.listen
                          ? fmt::format("$LISTEN_FDS={}", passed.listen)
                          : fmt::format("--preserve-fds {}", passed.preserve),
                      fd);
    }
  }
  return sys::close_fds_except(passed.end(), {log::fd(), trace::fd()});
}

Status check_terminal(const plan::Process& process, const std::string& console_socket, bool detached) {
  if (process.terminal && detached && console_socket.empty()) {
    Error error(ErrorKind::kUsage,
                "/process/terminal is true, and a detached container needs somebody at its terminal");
    return std::unexpected(std::move(error.add_hint("give --console-socket")));
  }
  if (!process.terminal && !console_socket.empty()) {
    return fail(ErrorKind::kUsage, "--console-socket was given, but /process/terminal is not true");
  }
  return {};
}

Result<std::optional<terminal::Relay>> connect_terminal(sys::UniqueFd terminal, const std::string& console_socket,
                                                        bool size_is_set) {
  std::optional<terminal::Relay> relay;
  if (!terminal.valid()) {
    return relay;
  }
  if (!console_socket.empty()) {
    TRY(terminal::send_master(console_socket, terminal.get()));
    return relay;
  }
  relay.emplace(TRY(terminal::Relay::start(std::move(terminal), size_is_set)));
  return relay;
}

Status send_pidfd(const std::string& socket, std::string_view whose, const sys::Pidfd& pidfd) {
  if (!socket.empty()) {
    TRY_CONTEXT(sys::send_to(socket, "pidfd", pidfd.get()), "{}", whose);
  }
  return {};
}

Status write_pid_file(const std::string& path, pid_t pid) {
  if (path.empty()) {
    return {};
  }
  // By rename, so that nobody reads half a number; the name holds this pid, so that a stale one is in nobody's way.
  const std::string temporary = fmt::format("{}.{}.new", path, ::getpid());
  const sys::UniqueFd file =
      TRY_CONTEXT(sys::open_at(AT_FDCWD, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644), "--pid-file");
  auto written = sys::write_all(file.get(), std::to_string(pid), temporary);
  if (written) {
    written = sys::rename_at(AT_FDCWD, temporary, path);
  }
  if (!written) {
    static_cast<void>(sys::unlink_at(AT_FDCWD, temporary));
    return std::unexpected(std::move(written).error().add_context("--pid-file"));
  }
  return {};
}

}  // namespace berth::container
