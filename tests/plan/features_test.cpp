#include <berth/plan/features.hpp>
#include <berth/spec/default_config.hpp>

#include <algorithm>
#include <catch2/catch.hpp>

#include "plan/lowered.hpp"
#include "spec/read_test_file.hpp"

namespace berth::plan {
namespace {

bool has(const std::vector<std::string_view>& list, std::string_view name) {
  return std::ranges::find(list, name) != list.end();
}

TEST_CASE("Every feature that is named is accepted") {
  const spec::Features list = features();
  for (const std::string_view action : list.seccomp_actions) {
    INFO(action);
    CHECK(error_of(
              {.linux_block = R"("seccomp": {"listenerPath": "/l", "defaultAction": ")" + std::string(action) + "\"}"})
              .empty());
  }
  for (const std::string_view name : list.seccomp_architectures) {
    INFO(name);
    CHECK(error_of({.linux_block = R"("seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "architectures": [")" +
                                   std::string(name) + "\"]}"})
              .empty());
  }
  for (const std::string_view flag : list.seccomp_supported_flags) {
    INFO(flag);
    CHECK(error_of({.linux_block =
                        R"("seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "flags": [")" + std::string(flag) + "\"]}"})
              .empty());
  }
  for (const std::string_view type : list.namespaces) {
    INFO(type);
    CHECK(error_of({.namespaces = R"({"type": ")" + std::string(type) + R"(", "path": "/n"})"}).empty());
  }
}

TEST_CASE("What engines ask for is there") {
  const spec::Features list = features();
  CHECK(list.hooks.size() == 6);
  CHECK(list.namespaces.size() == 8);
  CHECK(list.capabilities.size() == 41);
  CHECK(has(list.mount_options, "rro"));
  CHECK(has(list.namespaces, "user"));
  CHECK(list.cgroup_v1);
  CHECK(list.cgroup_v2);
  CHECK(list.cgroup_systemd);
  CHECK(list.apparmor);
  CHECK(list.selinux);
  CHECK(list.idmapped_mounts);
  CHECK(list.intel_rdt);
  CHECK(list.net_devices);
  CHECK(has(list.seccomp_actions, "SCMP_ACT_NOTIFY"));
  CHECK(has(list.mount_options, "idmap"));
  CHECK(has(list.seccomp_known_flags, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"));
  CHECK(has(list.seccomp_supported_flags, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"));
}

TEST_CASE("The default configuration is valid, for root and without it") {
  const auto root = lower_text(spec::default_config_json({}));
  CHECK((root ? "" : root.error().message()) == "");
  const auto rootless =
      lower_text(spec::default_config_json(spec::RootlessOwner{1000, 1000}), {.euid = 1000, .rootless = true});
  CHECK((rootless ? "" : rootless.error().message()) == "");
  CHECK(rootless.value().rootfs.mounts.back().recursive);
}

}  // namespace
}  // namespace berth::plan
