// keyctl(2).
#pragma once

#include <berth/base/error.hpp>

namespace berth::sys {

/// keyctl(KEYCTL_JOIN_SESSION_KEYRING) without a name: a new keyring becomes the process's session keyring.
Status join_new_session_keyring();

}  // namespace berth::sys
