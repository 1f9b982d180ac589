// From linux.resources to writes, by what this host's hierarchies can do.
#pragma once

#include <berth/base/error.hpp>
#include <berth/plan/container_plan.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "cgroup/file_write.hpp"

namespace berth::cgroup {

/// Which controllers the container's cgroup has, and in which version.
struct Controllers {
  std::vector<std::string> legacy;   ///< those with a v1 hierarchy
  bool has_unified = false;          ///< there is a cgroup2 directory
  std::vector<std::string> unified;  ///< those of cgroup.controllers at its root
};

/// All limits but the device rules: a controller's v1 files where it has a v1 hierarchy, else its cgroup2 files.
struct Limits {
  std::vector<FileWrite> legacy;
  std::vector<FileWrite> unified;
};

/// Why a limit cannot be enforced: no hierarchy has its controller.
struct MissingController {
  std::string property;       ///< JSON pointer of the limit
  std::string controller;     ///< "memory", "blkio"...; "devices" is never one of these
  bool legacy_only = false;   ///< cgroup2 never has it
  bool unified_only = false;  ///< only cgroup2 will do: linux.resources.unified
};

/// Pure. A limit without a controller goes to `missing` (which may be null: then it is left out); one that only says
/// "no limit" needs none.
Result<Limits> translate(const plan::Resources& resources, const Controllers& controllers,
                         std::vector<MissingController>* missing);

/// Whether some of these limits need a controller that has no v1 hierarchy: then `Controllers::unified` matters.
Result<bool> needs_unified(const plan::Resources& resources, const std::vector<std::string>& legacy);

}  // namespace berth::cgroup
