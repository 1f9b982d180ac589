#pragma once

#include <berth/base/error.hpp>

#include <string>

namespace berth::security {

/// A new session keyring (keyctl(KEYCTL_JOIN_SESSION_KEYRING)), so that the container holds neither its caller's nor
/// another's. Where the kernel has no keyrings (ENOSYS) there is nothing to separate.
/// `label`: SELinux label of the keyring, "" for none.
Status join_session_keyring(const std::string& label);

}  // namespace berth::security
