#include <berth/spec/features.hpp>
#include <berth/spec/state.hpp>

#include <array>
#include <catch2/catch.hpp>

namespace berth::spec {
namespace {

State example() {
  return {.id = "web",
          .status = ContainerStatus::kRunning,
          .pid = 42,
          .bundle = "/b\"undle",
          .rootfs = "/b/rootfs",
          .created = "2026-11-20T19:34:00Z",
          .annotations = {{"k1", "v1"}, {"k2", "line\n"}},
          .owner = "root"};
}

TEST_CASE("The state document has runc's keys in runc's order") {
  CHECK(state_json(example(), Layout::kCompact) ==
        R"({"ociVersion":"1.3.0","id":"web","pid":42,"status":"running","bundle":"/b\"undle","rootfs":"/b/rootfs",)"
        R"("created":"2026-11-20T19:34:00Z","annotations":{"k1":"v1","k2":"line\u000a"},"owner":"root"})");
}

TEST_CASE("The state document can be indented") {
  State state = example();
  state.annotations.clear();
  state.bundle = "/b";
  CHECK(state_json(state, Layout::kIndented) == R"({
  "ociVersion": "1.3.0",
  "id": "web",
  "pid": 42,
  "status": "running",
  "bundle": "/b",
  "rootfs": "/b/rootfs",
  "created": "2026-11-20T19:34:00Z",
  "owner": "root"
})");
}

TEST_CASE("Every status has the specification's name") {
  CHECK(status_name(ContainerStatus::kCreating) == "creating");
  CHECK(status_name(ContainerStatus::kCreated) == "created");
  CHECK(status_name(ContainerStatus::kRunning) == "running");
  CHECK(status_name(ContainerStatus::kPaused) == "paused");
  CHECK(status_name(ContainerStatus::kStopped) == "stopped");
}

TEST_CASE("A list of states is an array, also when it is empty") {
  CHECK(state_list_json({}, Layout::kCompact) == "[]");
  CHECK(state_list_json({}, Layout::kIndented) == "[]");
  State small;
  small.id = "a";
  const std::string one = state_json(small, Layout::kCompact);
  CHECK(state_list_json(std::array{small, small}, Layout::kCompact) == "[" + one + "," + one + "]");
}

TEST_CASE("The features document says what it is given") {
  Features features;
  features.hooks = {"prestart"};
  features.mount_options = {"ro", "rro"};
  features.seccomp_actions = {"SCMP_ACT_ALLOW"};
  features.cgroup_v2 = true;
  features.annotations = {{"a", "b"}};
  const std::string json = features_json(features);
  CHECK_THAT(json, Catch::StartsWith("{\n  \"ociVersionMin\": \"1.0.0\",\n  \"ociVersionMax\": \"1.3.0\","));
  CHECK_THAT(json, Catch::Contains("\"mountOptions\": [\n    \"ro\",\n    \"rro\"\n  ]"));
  CHECK_THAT(json, Catch::Contains("\"v1\": false,\n      \"v2\": true,\n      \"systemd\": false"));
  CHECK_THAT(json, Catch::Contains("\"seccomp\": {\n      \"enabled\": true,"));
  CHECK_THAT(json, Catch::Contains("\"idmap\": {\n        \"enabled\": false"));
  CHECK_THAT(json, Catch::Contains("\"annotations\": {\n    \"a\": \"b\"\n  }"));
}

}  // namespace
}  // namespace berth::spec
