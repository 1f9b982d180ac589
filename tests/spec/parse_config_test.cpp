#include <berth/spec/parse.hpp>
#include <berth/spec/problems.hpp>

#include <catch2/catch.hpp>

#include "spec/read_test_file.hpp"

namespace berth::spec {
namespace {

std::string error_of(std::string_view text) {
  const Result<Config> config = parse_config(text);
  return config ? "" : config.error().message();
}

// A configuration in which the object at "linux" or "process" has these members.
std::string with_process(std::string_view members) {
  return R"({"ociVersion": "1.3.0", "process": {"cwd": "/", )" + std::string(members) + "}}";
}
std::string with_linux(std::string_view members) {
  return R"({"ociVersion": "1.3.0", "linux": {)" + std::string(members) + "}}";
}

TEST_CASE("Every property of the specification is read") {
  const Config config = parse_config(read_test_file(BERTH_TEST_DATA "/config/good/spec-example.json")).value();
  CHECK(config.oci_version == "0.5.0-dev");
  CHECK(config.root.value().path == "rootfs");
  CHECK(config.root.value().readonly);
  CHECK(config.hostname == "slartibartfast");
  CHECK(config.domainname == "foobarbaz.test");
  CHECK(config.annotations.at("com.example.key2") == "value2");
  REQUIRE(config.mounts.size() == 7);
  CHECK(config.mounts[1].destination == "/dev");
  CHECK(config.mounts[1].type == "tmpfs");
  CHECK(config.mounts[1].options == std::vector<std::string>{"nosuid", "strictatime", "mode=755", "size=65536k"});

  const Process& process = config.process.value();
  CHECK(process.terminal);
  CHECK(process.user.uid == 1);
  CHECK(process.user.additional_gids == std::vector<std::uint32_t>{5, 6});
  CHECK(process.args == std::vector<std::string>{"sh"});
  CHECK(process.env.size() == 2);
  CHECK(process.cwd == "/");
  CHECK(process.capabilities.value().ambient == std::vector<std::string>{"CAP_NET_BIND_SERVICE"});
  REQUIRE(process.rlimits.size() == 2);
  CHECK(process.rlimits[1].type == "RLIMIT_NOFILE");
  CHECK(process.rlimits[1].hard == 1024);
  CHECK(process.apparmor_profile == "acme_secure_profile");
  CHECK(process.selinux_label == "system_u:system_r:svirt_lxc_net_t:s0:c124,c675");
  CHECK(process.no_new_privileges);

  REQUIRE(config.hooks.prestart.size() == 2);
  CHECK(config.hooks.prestart[0].args == std::vector<std::string>{"fix-mounts", "arg1", "arg2"});
  CHECK(config.hooks.prestart[0].env == std::vector<std::string>{"key1=value1"});
  CHECK(config.hooks.poststart.at(0).timeout == std::chrono::seconds(5));
  CHECK_FALSE(config.hooks.poststop.at(0).timeout.has_value());
}

TEST_CASE("Every property of linux is read") {
  const Config config = parse_config(read_test_file(BERTH_TEST_DATA "/config/good/spec-example.json")).value();
  const Linux& linux_block = config.linux.value();
  REQUIRE(linux_block.devices.size() == 2);
  CHECK(linux_block.devices[0].path == "/dev/fuse");
  CHECK(linux_block.devices[0].file_mode == 438U);
  CHECK(linux_block.uid_mappings.at(0).size == 32000);
  CHECK(linux_block.gid_mappings.at(0).host_id == 1000);
  CHECK(linux_block.sysctl.at("net.core.somaxconn") == "256");
  CHECK(linux_block.cgroups_path == "/myRuntime/myContainer");
  CHECK(linux_block.rootfs_propagation == "slave");
  CHECK(linux_block.seccomp.value().architectures.at(1) == "SCMP_ARCH_X32");
  CHECK(linux_block.seccomp.value().syscalls.at(0).names.at(1) == "chmod");
  CHECK(linux_block.time_offsets.at("monotonic").seconds == 172800);
  CHECK(linux_block.namespaces.at(7).type == "time");
  CHECK(linux_block.masked_paths.size() == 4);
  CHECK(linux_block.readonly_paths.size() == 6);
  CHECK(linux_block.mount_label == "system_u:object_r:svirt_sandbox_file_t:s0:c715,c811");

  const Resources& resources = linux_block.resources;
  CHECK(resources.network.class_id == 1048577U);
  CHECK(resources.network.priorities.at(1).priority == 1000);
  CHECK(resources.pids.limit == 32771);
  CHECK(resources.hugepage_limits.at(0).limit == 9223372036854772000U);
  CHECK(resources.memory.kernel == -1);
  CHECK(resources.memory.swappiness == 0U);
  CHECK(resources.memory.disable_oom_killer == false);
  CHECK(resources.cpu.burst == 1000000U);
  CHECK(resources.cpu.cpus == "2-3");
  CHECK(resources.devices.at(1).minor == 229);
  CHECK_FALSE(resources.devices.at(0).major.has_value());
  CHECK(resources.block_io.leaf_weight == std::uint16_t{10});
  CHECK(resources.block_io.weight_device.at(0).leaf_weight == std::uint16_t{300});
  CHECK(resources.block_io.throttle_write_iops_device.at(0).rate == 300);
}

TEST_CASE("The properties that the example of the specification lacks are read") {
  const Process process = parse_config(with_process(R"(
      "consoleSize": {"height": 24, "width": 80}, "oomScoreAdj": -5, "user": {"umask": 63},
      "scheduler": {"policy": "SCHED_DEADLINE", "nice": -3, "priority": 2, "flags": ["F"], "runtime": 1, "deadline": 2,
                    "period": 18446744073709551615},
      "ioPriority": {"class": "C", "priority": -1}, "execCPUAffinity": {"initial": "0", "final": "1-2"})"))
                              .value()
                              .process.value();
  CHECK(process.console_size.value().width == 80);
  CHECK(process.oom_score_adj == -5);
  CHECK(process.user.umask == 63U);
  CHECK(process.scheduler.value().nice == -3);
  CHECK(process.scheduler.value().period == UINT64_MAX);
  CHECK(process.io_priority.value().priority == -1);
  CHECK(process.exec_cpu_affinity.value().final == "1-2");
  const Linux linux_block = parse_config(with_linux(R"(
      "netDevices": {"eth0": {"name": "c0"}}, "personality": {"domain": "LINUX32", "flags": ["x"]},
      "memoryPolicy": {"mode": "M", "nodes": "0", "flags": ["F"]}, "intelRdt": {"closID": "c", "enableMonitoring": true},
      "resources": {"rdma": {"mlx5_1": {"hcaHandles": 3}}, "unified": {"memory.high": "1"}},
      "seccomp": {"defaultAction": "A", "defaultErrnoRet": 38, "flags": ["F"], "listenerPath": "/l",
                  "listenerMetadata": "m", "syscalls": [{"names": ["a"], "action": "B", "errnoRet": 2,
                  "args": [{"index": 1, "value": 2, "valueTwo": 3, "op": "O"}]}]})"))
                                .value()
                                .linux.value();
  CHECK(linux_block.net_devices.at("eth0").name == "c0");
  CHECK(linux_block.personality.value().flags.size() == 1);
  CHECK(linux_block.memory_policy.value().nodes == "0");
  CHECK(linux_block.intel_rdt.value().enable_monitoring);
  CHECK(linux_block.resources.rdma.at("mlx5_1").hca_handles == 3U);
  CHECK(linux_block.resources.unified.at("memory.high") == "1");
  CHECK(linux_block.seccomp.value().default_errno_return == 38U);
  CHECK(linux_block.seccomp.value().listener_metadata == "m");
  CHECK(linux_block.seccomp.value().syscalls.at(0).arguments.at(0).value_two == 3);
}

TEST_CASE("Each wrong value is named by its pointer, with what stands there and what was expected") {
  struct Case {
    std::string text;
    std::string_view expected;
  };
  const Case cases[] = {
      {"[]", "the document: got an array, expected an object"},
      {"{}", "/ociVersion: got nothing, expected this property"},
      {R"({"ociVersion": null})", "/ociVersion: got null, expected a string"},
      {R"({"ociVersion": "1.3.0", "root": {}})", "/root/path: got nothing, expected this property"},
      {R"({"ociVersion": "1.3.0", "annotations": {"a/b~c": 1}})", "/annotations/a~1b~0c: got 1, expected a string"},
      {R"({"ociVersion": "1.3.0", "annotations": {"a": "\u0000"}})",
       "/annotations/a: got \"\\x00\", expected a string "
       "without NUL"},
      {R"({"ociVersion": "1.3.0", "annotations": {"\u0000": "a"}})", "expected a name without NUL"},
      {R"({"ociVersion": "1.3.0", "mounts": {}})", "/mounts: got an object, expected an array"},
      {R"({"ociVersion": "1.3.0", "mounts": [{"destination": "/a"}, {}]})", "/mounts/1/destination: got nothing"},
      {R"({"ociVersion": "1.3.0", "hooks": {"poststop": [{"path": "/a", "timeout": 4294967296}]}})",
       "/hooks/poststop/0/timeout: got 4294967296, expected an integer from 0 to 4294967295"},
      {with_process(R"("terminal": 0)"), "/process/terminal: got 0, expected true or false"},
      {with_process(R"("args": ["a", null])"), "/process/args/1: got null, expected a string"},
      {with_process(R"("user": {"uid": -1})"), "/process/user/uid: got -1, expected an integer from 0 to 4294967295"},
      {with_process(R"("user": {"uid": 4294967296})"), "/process/user/uid: got 4294967296, expected an integer"},
      {with_process(R"("user": {"gid": 18446744073709551616})"),
       "/process/user/gid: got 18446744073709551616, expected"},
      {with_process(R"("user": {"gid": 1.5})"), "/process/user/gid: got 1.5, expected"},
      {with_process(R"("user": {"gid": 1.0})"), "/process/user/gid: got 1.0, expected"},
      {with_process(R"("user": {"additionalGids": [1, "2"]})"), "/process/user/additionalGids/1: got \"2\", expected"},
      {with_process(R"("ioPriority": {"class": "", "priority": -2147483649})"),
       "/process/ioPriority/priority: got -2147483649, expected an integer from -2147483648 to 2147483647"},
      {with_process(R"("oomScoreAdj": 9223372036854775808)"),
       "/process/oomScoreAdj: got 9223372036854775808, expected"},
      {with_linux(R"("resources": {"blockIO": {"weight": 65536}})"),
       "/linux/resources/blockIO/weight: got 65536, expected an integer from 0 to 65535"},
      {with_linux(R"("resources": {"pids": {}})"), "/linux/resources/pids/limit: got nothing"},
      {with_linux(R"("resources": {"devices": [{}]})"), "/linux/resources/devices/0/allow: got nothing"},
      {with_linux(
           R"("seccomp": {"defaultAction": "A", "syscalls": [{"names": ["a"], "action": "B", "args": [{"index": 0,
                      "value": -1, "op": "O"}]}]})"),
       "/linux/seccomp/syscalls/0/args/0/value: got -1, expected an integer from 0 to 18446744073709551615"},
  };
  for (const Case& entry : cases) {
    INFO(entry.text);
    CHECK_THAT(error_of(entry.text),
               Catch::StartsWith(std::string(entry.expected)) || Catch::Contains(std::string(entry.expected)));
  }
}

TEST_CASE("A null counts as absent where the property may be absent") {
  CHECK(error_of(R"({"ociVersion": "1.3.0", "root": null, "mounts": null, "process": null, "linux": null, "vm": null,
                     "hooks": {"prestart": null}})")
            .empty());
  CHECK(error_of(with_process(R"("args": null, "capabilities": null, "user": {"uid": null})")).empty());
  CHECK(parse_config(R"({"ociVersion": "1.3.0", "vm": null})").value().other_platforms.empty());
  CHECK(parse_config(R"({"ociVersion": "1.3.0", "vm": {}})").value().other_platforms == std::vector<std::string>{"vm"});
}

TEST_CASE("Unknown properties are accepted") {
  CHECK(error_of(R"({"ociVersion": "1.3.0", "x": {"y": [1]}, "root": {"path": "r", "z": 0}})").empty());
}

TEST_CASE("All errors are told at once, the first eight in words") {
  CHECK(error_of(R"({"root": 1, "process": {"terminal": 3}})") ==
        "/ociVersion: got nothing, expected this property; /root: got 1, expected an object; /process/terminal: got 3, "
        "expected true or false; /process/cwd: got nothing, expected this property");
  CHECK_THAT(error_of(with_process(R"("args": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])")),
             Catch::EndsWith("/process/args/7: got 7, expected a string; and 2 more"));
}

TEST_CASE("Long values and names are cut in errors") {
  const std::string text = with_process("\"terminal\": \"" + std::string(100'000, 'x') + '"');
  CHECK(error_of(text).size() < 200);
  CHECK(error_of("{\"ociVersion\": \"1.3.0\", \"annotations\": {\"" + std::string(100'000, 'x') + "\": 1}}").size() <
        400);
  // Not in the middle of a character.
  std::string accents;
  for (int count = 0; count < 40; ++count) {
    accents += "\xc3\xa9";
  }
  CHECK(shortened("x" + accents, 64) == "x" + accents.substr(0, 62) + "...");
}

TEST_CASE("The configurations of the engines are read") {
  for (const std::string engine : {"docker", "podman", "containerd"}) {
    INFO(engine);
    CHECK(error_of(read_test_file(BERTH_BUNDLES "/" + engine + "-default.json")).empty());
  }
}

TEST_CASE("The good examples of the specification are read, and bad types are refused") {
  for (const std::string name : {"freebsd-example", "freebsd-minimal", "linux-netdevice", "linux-rdma",
                                 "minimal-for-start", "minimal", "spec-example", "zos-example", "zos-minimal"}) {
    INFO(name);
    CHECK(error_of(read_test_file(BERTH_TEST_DATA "/config/good/" + name + ".json")).empty());
  }
  for (const auto& [name, expected] : {std::pair{"invalid-json", "line 1, column 2"},
                                       std::pair{"linux-netdevice", "/linux/netDevices/eth0/name: got 23"},
                                       std::pair{"linux-rdma", "/linux/resources/rdma/mlx5_1/hcaHandles: got"}}) {
    CHECK_THAT(error_of(read_test_file(BERTH_TEST_DATA "/config/bad/" + std::string(name) + ".json")),
               Catch::StartsWith(expected));
  }
}

}  // namespace
}  // namespace berth::spec
