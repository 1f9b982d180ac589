#include <berth/cgroup/cgroup.hpp>

#include <array>
#include <utility>

namespace berth::cgroup {
namespace {

constexpr std::array<std::pair<Manager, std::string_view>, 3> kNames = {{
    {Manager::kCgroupfs, "cgroupfs"},
    {Manager::kSystemd, "systemd"},
    {Manager::kDisabled, "disabled"},
}};

}  // namespace

std::string_view manager_name(Manager manager) {
  return kNames[static_cast<std::size_t>(manager)].second;
}

Result<Manager> parse_manager(std::string_view name) {
  for (const auto& [manager, text] : kNames) {
    if (text == name) {
      return manager;
    }
  }
  return fail(ErrorKind::kUsage, "cgroup manager \"{}\": cgroupfs, systemd or disabled was expected", one_line(name));
}

}  // namespace berth::cgroup
