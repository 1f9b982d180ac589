// The processes of a cgroup: listing and signalling them.
#pragma once

#include <berth/base/error.hpp>
#include <berth/cgroup/cgroup.hpp>

#include <sys/types.h>

#include <string>
#include <vector>

namespace berth::cgroup {

/// Those of `path` and of all cgroups below it, in no order. None if it does not exist; those of other pid namespaces
/// have no number here and are left out.
Result<std::vector<pid_t>> processes_below(const std::string& path);

/// The directory that is asked for processes: the cgroup2 one, else the freezer's, else the first. Null if disabled.
const Directory* process_directory(const Placement& placement);

/// Cgroup::kill.
Status kill_processes(const Placement& placement, int signal);

}  // namespace berth::cgroup
