#pragma once

#include <berth/base/error.hpp>

namespace berth::net {

/// Sets lo up in the calling process's network namespace (RTM_NEWLINK over libmnl).
Status bring_up_loopback();

}  // namespace berth::net
