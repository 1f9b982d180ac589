#include <berth/sys/file.hpp>
#include <berth/sys/socket.hpp>
#include <berth/terminal/pty.hpp>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

namespace berth::terminal {
namespace {

Status verify_multiplexer(int fd) {
  constexpr unsigned kTtyMajor = 5;
  constexpr unsigned kPtmxMinor = 2;
  const struct stat status = TRY(sys::stat_fd(fd, "<rootfs>/dev/pts/ptmx"));
  const long type = TRY(sys::filesystem_type(fd, "<rootfs>/dev/pts/ptmx"));
  if (type != DEVPTS_SUPER_MAGIC || !S_ISCHR(status.st_mode) || status.st_rdev != makedev(kTtyMajor, kPtmxMinor)) {
    return fail(ErrorKind::kSystem, "<rootfs>/dev/pts/ptmx is not the multiplexer of a devpts mount");
  }
  return {};
}

}  // namespace

Result<Pty> open_pty(const path::RootDir& root, const std::optional<plan::ConsoleSize>& size) {
  Pty pty;
  // Looked at as O_PATH first: opening a device that is not what it seems can have effects.
  {
    auto found = root.open("/dev/pts/ptmx", O_PATH | O_NOFOLLOW);
    if (!found) {
      found.error().add_hint("a terminal needs a mount of type devpts at /dev/pts");
      return std::unexpected(std::move(found).error());
    }
    TRY(verify_multiplexer(found->get()));
  }
  pty.master = TRY(root.open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW));
  TRY(verify_multiplexer(pty.master.get()));
  int unlocked = 0;
  if (::ioctl(pty.master.get(), TIOCSPTLCK, &unlocked) < 0) {
    return sys_fail(errno, "ioctl(TIOCSPTLCK)");
  }
  const int slave = ::ioctl(pty.master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0) {
    return sys_fail(errno, "ioctl(TIOCGPTPEER)");
  }
  pty.slave.reset(slave);
  if (size) {
    struct winsize window {};
    window.ws_row = size->height;
    window.ws_col = size->width;
    if (::ioctl(pty.master.get(), TIOCSWINSZ, &window) < 0) {
      return sys_fail(errno, "ioctl(TIOCSWINSZ, {}x{})", size->height, size->width);
    }
  }
  return pty;
}

Status use_as_stdio(int slave, uid_t uid) {
  if (uid != 0 && ::fchown(slave, uid, static_cast<gid_t>(-1)) < 0) {
    return sys_fail(errno, "chown(terminal, {})", uid);
  }
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    TRY(sys::duplicate_to(slave, fd, 0));
  }
  return {};
}

Status control_by_stdin() {
  if (::ioctl(STDIN_FILENO, TIOCSCTTY, 0) < 0) {
    return sys_fail(errno, "ioctl(TIOCSCTTY)");
  }
  return {};
}

Status send_master(const std::string& console_socket, int master) {
  TRY_CONTEXT(sys::send_to(console_socket, "/dev/ptmx", master), "console socket");
  return {};
}

}  // namespace berth::terminal
