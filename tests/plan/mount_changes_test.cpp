#include <berth/plan/lower.hpp>
#include <berth/spec/parse.hpp>

#include <catch2/catch.hpp>
#include <string>

namespace berth::plan {
namespace {

spec::Config config_with(const std::string& mounts, const std::string& namespaces = R"({"type": "mount"})") {
  spec::Config config =
      spec::parse_config(R"({"ociVersion": "1.0.0", "root": {"path": "rootfs"},
    "linux": {"namespaces": [)" +
                         namespaces + R"(], "maskedPaths": ["/proc/keys", "/a//b/"], "readonlyPaths": ["/proc/sys"]}})")
          .value();
  config.mounts = spec::parse_mounts(mounts).value();
  return config;
}

std::string refusal_to_add(const std::string& mounts) {
  return lower_added_mounts(config_with(mounts), "/bundle").error().message();
}

std::string refusal_to_remove(const std::string& mounts) {
  return lower_removed_mounts(config_with(mounts)).error().message();
}

}  // namespace

TEST_CASE("Mounts to add are those of a configuration") {
  const auto plan =
      lower_added_mounts(config_with(R"([{"destination": "/d", "source": "in/bundle", "options": ["rbind", "ro"]},
                      {"destination": "e/../f", "type": "tmpfs", "options": ["size=1m"]}])"),
                         "/bundle");
  REQUIRE(plan.has_value());
  const auto& mounts = plan->rootfs.mounts;
  REQUIRE(mounts.size() == 2);
  CHECK(mounts[0].kind == MountKind::kBind);
  CHECK(mounts[0].source == "/bundle/in/bundle");
  CHECK(mounts[0].recursive);
  CHECK(mounts[1].destination == "/f");
  CHECK(mounts[1].pointer == "/mounts/1");
}

TEST_CASE("What needs the container's first process cannot be added") {
  CHECK(refusal_to_add(R"([{"destination": "/d", "type": "proc"}])").starts_with("/mounts/0/type: got \"proc\""));
  CHECK(refusal_to_add(R"([{"destination": "/d", "type": "cgroup2"}])").starts_with("/mounts/0/type: got \"cgroup2\""));
  CHECK(refusal_to_add(R"([{"destination": "/d", "options": ["remount", "ro"]}])").find("a new mount") !=
        std::string::npos);
  CHECK(refusal_to_add(R"([{"destination": "/d", "source": "/s", "options": ["bind", "copy-symlink"]}])")
            .find("copy-symlink") != std::string::npos);
  CHECK(refusal_to_add(R"([{"destination": "/d", "type": "tmpfs", "options": ["tmpcopyup"]}])").find("tmpcopyup") !=
        std::string::npos);
  CHECK(refusal_to_add(R"([{"destination": "/d"}])").starts_with("/mounts/0/type: got nothing"));
}

TEST_CASE("Of a mount to remove the destination counts") {
  const auto plan = lower_removed_mounts(config_with(R"([{"destination": "/d/"}, {"destination": "e", "type": "x"}])"));
  REQUIRE(plan.has_value());
  CHECK(plan->rootfs.mounts.at(0).destination == "/d");
  CHECK(plan->rootfs.mounts.at(1).destination == "/e");
}

TEST_CASE("The root and what protects the host cannot be removed") {
  for (const char* destination : {"/", "", "/d/..", "/proc/keys", "/proc/./sys/", "/a/b"}) {
    INFO(destination);
    CHECK(refusal_to_remove(R"([{"destination": ")" + std::string(destination) + "\"}]")
              .starts_with("/mounts/0/destination: got \"/"));
  }
  CHECK(refusal_to_remove(R"([{"destination": "/d"}, {"destination": "//d"}])") ==
        "/mounts/1/destination: got \"/d\", expected each destination once");
}

TEST_CASE("The host's mounts are not changed") {
  const spec::Config config = config_with(R"([{"destination": "/d", "type": "tmpfs"}])", "");
  CHECK(lower_added_mounts(config, "/bundle").error().message().find("a mount namespace") != std::string::npos);
  CHECK(lower_removed_mounts(config).error().message().find("a mount namespace") != std::string::npos);
}

}  // namespace berth::plan
