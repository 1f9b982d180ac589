// keyctl(2).
#pragma once

#include <berth/base/error.hpp>

#include <string>

namespace berth::sys {

/// keyctl(KEYCTL_JOIN_SESSION_KEYRING): a keyring of this name becomes the process's session keyring, a new one unless
/// there is one that the process may search.
Status join_session_keyring(const std::string& name);

}  // namespace berth::sys
