#include "cgroup/limits.hpp"

#include <algorithm>
#include <array>

#include "cgroup/legacy/limits.hpp"
#include "cgroup/unified/limits.hpp"

namespace berth::cgroup {
namespace {

using Translation = Result<std::vector<FileWrite>> (*)(const plan::Resources&);

struct Controller {
  const char* legacy_name;
  const char* unified_name;
  Translation legacy;
  Translation unified;  ///< null: cgroup2 has no such controller
};

constexpr std::array<Controller, 9> kControllers = {{
    {"cpuset", "cpuset", legacy::cpuset, unified::cpuset},
    {"cpu", "cpu", legacy::cpu, unified::cpu},
    {"memory", "memory", legacy::memory, unified::memory},
    {"pids", "pids", legacy::pids, unified::pids},
    {"blkio", "io", legacy::blkio, unified::io},
    {"hugetlb", "hugetlb", legacy::hugetlb, unified::hugetlb},
    {"rdma", "rdma", legacy::rdma, unified::rdma},
    {"net_cls", "net_cls", legacy::net_cls, nullptr},
    {"net_prio", "net_prio", legacy::net_prio, nullptr},
}};

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

bool lifts_only(const std::vector<FileWrite>& writes) {
  return std::ranges::all_of(
      writes, [](const FileWrite& write) { return write.value == "-1" || write.value.starts_with("max"); });
}

void append(std::vector<FileWrite>& to, std::vector<FileWrite>&& from) {
  std::ranges::move(from, std::back_inserter(to));
}

Status translate_controller(const Controller& controller, const plan::Resources& resources,
                            const Controllers& controllers, Limits& limits, std::vector<MissingController>* missing) {
  if (contains(controllers.legacy, controller.legacy_name)) {
    append(limits.legacy, TRY(controller.legacy(resources)));
    return {};
  }
  const bool in_unified = controller.unified != nullptr && controllers.has_unified;
  std::vector<FileWrite> writes = TRY(in_unified ? controller.unified(resources) : controller.legacy(resources));
  if (in_unified && contains(controllers.unified, controller.unified_name)) {
    append(limits.unified, std::move(writes));
  } else if (missing != nullptr && !lifts_only(writes)) {
    missing->push_back({.property = writes.front().property,
                        .controller = in_unified ? controller.unified_name : controller.legacy_name,
                        .legacy_only = controller.unified == nullptr});
  }
  return {};
}

// linux.resources.unified comes last: it is the more exact word where both speak of one file.
Status translate_verbatim(const plan::Resources& resources, const Controllers& controllers, Limits& limits,
                          std::vector<MissingController>* missing) {
  for (FileWrite& write : TRY(unified::verbatim(resources))) {
    const bool core = write.controller == "cgroup";
    if (controllers.has_unified && (core || contains(controllers.unified, write.controller))) {
      limits.unified.push_back(std::move(write));
    } else if (missing != nullptr) {
      missing->push_back({.property = write.property, .controller = write.controller, .unified_only = true});
    }
  }
  return {};
}

}  // namespace

Result<Limits> translate(const plan::Resources& resources, const Controllers& controllers,
                         std::vector<MissingController>* missing) {
  Limits limits;
  for (const Controller& controller : kControllers) {
    TRY(translate_controller(controller, resources, controllers, limits, missing));
  }
  TRY(translate_verbatim(resources, controllers, limits, missing));
  return limits;
}

Result<bool> needs_unified(const plan::Resources& resources, const std::vector<std::string>& legacy) {
  if (!resources.unified.empty()) {
    return true;
  }
  for (const Controller& controller : kControllers) {
    if (!contains(legacy, controller.legacy_name) && !TRY(controller.legacy(resources)).empty()) {
      return true;
    }
  }
  return false;
}

}  // namespace berth::cgroup
