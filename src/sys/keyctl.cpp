#include <berth/sys/keyctl.hpp>

#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace berth::sys {

Status join_new_session_keyring() {
  if (::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) < 0) {
    return sys_fail(errno, "keyctl(KEYCTL_JOIN_SESSION_KEYRING)");
  }
  return {};
}

}  // namespace berth::sys
