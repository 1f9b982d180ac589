#include <berth/sys/keyctl.hpp>

#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace berth::sys {

Status join_session_keyring(const std::string& name) {
  if (::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name.c_str()) < 0) {
    return sys_fail(errno, "keyctl(KEYCTL_JOIN_SESSION_KEYRING, \"{}\")", name);
  }
  return {};
}

}  // namespace berth::sys
