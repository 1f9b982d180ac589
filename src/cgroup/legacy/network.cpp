#include <fmt/format.h>

#include "cgroup/legacy/limits.hpp"

namespace berth::cgroup::legacy {

Result<std::vector<FileWrite>> net_cls(const plan::Resources& resources) {
  std::vector<FileWrite> writes;
  if (resources.network_class_id) {
    writes.push_back({.property = "/linux/resources/network/classID",
                      .controller = "net_cls",
                      .file = "net_cls.classid",
                      .value = fmt::to_string(*resources.network_class_id)});
  }
  return writes;
}

Result<std::vector<FileWrite>> net_prio(const plan::Resources& resources) {
  std::vector<FileWrite> writes;
  for (const plan::NetworkPriority& priority : resources.network_priorities) {
    writes.push_back({.property = "/linux/resources/network/priorities",
                      .controller = "net_prio",
                      .file = "net_prio.ifpriomap",
                      .value = fmt::format("{} {}", priority.name, priority.priority)});
  }
  return writes;
}

}  // namespace berth::cgroup::legacy
