// The container's terminal at /dev/console.
#pragma once

#include <berth/base/error.hpp>
#include <berth/path/root_dir.hpp>

namespace berth::rootfs {

/// Mounts a copy of `slave` onto /dev/console, which is made as an empty file where it is missing and never followed.
Status bind_console(const path::RootDir& root, int slave);

}  // namespace berth::rootfs
