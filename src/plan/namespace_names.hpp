#pragma once

#include <sched.h>

#include "plan/named.hpp"

namespace berth::plan {

/// linux.namespaces[].type to CLONE_NEW*.
inline constexpr std::array<Named<int>, 8> kNamespaces = {{
    {"cgroup", CLONE_NEWCGROUP},
    {"ipc", CLONE_NEWIPC},
    {"mount", CLONE_NEWNS},
    {"network", CLONE_NEWNET},
    {"pid", CLONE_NEWPID},
    {"time", CLONE_NEWTIME},
    {"user", CLONE_NEWUSER},
    {"uts", CLONE_NEWUTS},
}};

}  // namespace berth::plan
