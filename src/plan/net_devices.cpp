#include <sched.h>

#include <algorithm>

#include "plan/lowering.hpp"

namespace berth::plan {
namespace {

using spec::quoted;

constexpr std::size_t kMaxName = 15;  // IFNAMSIZ with its NUL

// dev_valid_name() of the kernel, without the %, which asks it to choose a number.
bool is_device_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName && name != "." && name != ".." &&
         name.find_first_of("/:% \t\n\v\f\r") == std::string_view::npos;
}

}  // namespace

void lower_net_devices(Lowering& lowering) {
  constexpr std::string_view kExpected = "the name of a network device: at most 15 bytes without space, /, : and %";
  std::vector<NetDevice>& plan = lowering.plan.net_devices;
  for (const auto& [name, entry] : lowering.linux.net_devices) {
    const std::string pointer = "/linux/netDevices" + spec::pointer_step(name);
    if (!is_device_name(name)) {
      lowering.problems.add(pointer, quoted(name), kExpected);
    }
    if (!entry.name.empty() && !is_device_name(entry.name)) {
      lowering.problems.add(pointer + "/name", quoted(entry.name), kExpected);
    }
    const std::string& new_name = entry.name.empty() ? name : entry.name;
    if (std::ranges::find(plan, new_name, &NetDevice::new_name) != plan.end()) {
      lowering.problems.add(pointer, quoted(new_name) + " again", "a name of its own in the container");
    }
    plan.push_back({name, new_name});
  }
  if (plan.empty()) {
    return;
  }
  if (!lowering.plan.namespaces.has(CLONE_NEWNET)) {
    lowering.problems.add("/linux/netDevices", "network devices", "a network namespace in /linux/namespaces");
  }
  if (lowering.facts.rootless) {
    lowering.problems.add("/linux/netDevices", "network devices",
                          "none in a rootless container: a device of the host is not its user's to give away");
  }
}

}  // namespace berth::plan
