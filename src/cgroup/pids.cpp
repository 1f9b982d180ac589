#include <fmt/format.h>

#include "cgroup/legacy/limits.hpp"
#include "cgroup/unified/limits.hpp"

namespace berth::cgroup {
namespace {

// The same file with the same meaning in both versions. 0 is a limit (runtime-spec 1.3): nothing can fork.
std::vector<FileWrite> pids_writes(const plan::Resources& resources) {
  if (!resources.pids_limit) {
    return {};
  }
  return {{.property = "/linux/resources/pids/limit",
           .controller = "pids",
           .file = "pids.max",
           .value = *resources.pids_limit < 0 ? "max" : fmt::to_string(*resources.pids_limit)}};
}

}  // namespace

Result<std::vector<FileWrite>> legacy::pids(const plan::Resources& resources) {
  return pids_writes(resources);
}
Result<std::vector<FileWrite>> unified::pids(const plan::Resources& resources) {
  return pids_writes(resources);
}

}  // namespace berth::cgroup
