#include <berth/spec/default_config.hpp>
#include <berth/spec/parse.hpp>

#include <algorithm>
#include <catch2/catch.hpp>

namespace berth::spec {
namespace {

bool has_namespace(const Config& config, std::string_view type) {
  return std::ranges::any_of(config.linux.value().namespaces,
                             [&](const Namespace& entry) { return entry.type == type; });
}

TEST_CASE("The default configuration is what the specification's tools write") {
  const std::string text = default_config_json({});
  CHECK(text.ends_with("}\n"));
  const Config config = parse_config(text).value();
  CHECK(config.oci_version == "1.3.0");
  CHECK(config.root.value().readonly);
  const Process& process = config.process.value();
  CHECK(process.terminal);
  CHECK(process.args == std::vector<std::string>{"sh"});
  CHECK(process.capabilities.value().bounding.size() == 3);
  CHECK(process.capabilities.value().inheritable.empty());  // CVE-2022-29162
  CHECK(process.no_new_privileges);
  CHECK(process.rlimits.at(0).hard == 1024);
  CHECK(config.mounts.size() == 7);
  CHECK(has_namespace(config, "network"));
  CHECK(has_namespace(config, "cgroup"));
  CHECK_FALSE(has_namespace(config, "user"));
  REQUIRE(config.linux.value().resources.devices.size() == 1);
  CHECK_FALSE(config.linux.value().resources.devices[0].allow);
}

TEST_CASE("The default configuration of a rootless user needs nothing of the host") {
  const Config config = parse_config(default_config_json(RootlessOwner{1000, 1001})).value();
  CHECK(has_namespace(config, "user"));
  CHECK_FALSE(has_namespace(config, "network"));
  CHECK(config.linux.value().uid_mappings.at(0).host_id == 1000);
  CHECK(config.linux.value().gid_mappings.at(0).host_id == 1001);
  CHECK(config.linux.value().gid_mappings.at(0).size == 1);
  CHECK(config.linux.value().resources.devices.empty());
  for (const Mount& mount : config.mounts) {
    INFO(mount.destination);
    CHECK(mount.type != "cgroup");
    CHECK(mount.type != "sysfs");
    CHECK(std::ranges::none_of(mount.options, [](const std::string& option) { return option.starts_with("gid="); }));
  }
}

}  // namespace
}  // namespace berth::spec
