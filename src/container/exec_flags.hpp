// What the flags of `exec` make of a process. Pure.
#pragma once

#include <berth/base/error.hpp>
#include <berth/container/exec.hpp>
#include <berth/spec/config.hpp>

#include <string>

namespace berth::container {

/// Applies the flags. Gives the user's name where --user has one, which only the container's passwd file knows; ""
/// else.
Result<std::string> apply_flags(const ProcessFlags& flags, spec::Process& process);

}  // namespace berth::container
