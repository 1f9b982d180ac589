#include <linux/mount.h>
#include <sched.h>

#include <catch2/catch.hpp>

#include "plan/lowered.hpp"
#include "spec/read_test_file.hpp"

namespace berth::plan {
namespace {

ContainerPlan engine(const std::string& name) {
  return lower_text(read_test_file(BERTH_BUNDLES "/" + name + "-default.json")).value();
}

TEST_CASE("Docker's configuration becomes a plan") {
  const ContainerPlan plan = engine("docker");
  CHECK(plan.oci_version == "1.0.2-dev");
  CHECK(plan.rootfs.path == "/bundle/rootfs");
  CHECK(plan.rootfs.mounts.size() == 10);
  CHECK(plan.rootfs.mounts[4].kind == MountKind::kCgroup);
  CHECK(plan.rootfs.mounts[7].source == "/bundle/files/resolv.conf");
  CHECK(plan.rootfs.masked_paths.size() == 10);
  CHECK(plan.rootfs.readonly_paths.size() == 5);
  CHECK(plan.rootfs.devices.size() == 6);
  CHECK(plan.namespaces.created ==
        std::uint64_t{CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWIPC});
  CHECK(plan.namespaces.hostname == "box");
  REQUIRE(plan.namespaces.sysctls.size() == 2);
  CHECK(plan.namespaces.sysctls[1].path == "net/ipv4/ping_group_range");
  CHECK(plan.namespaces.sysctls[1].value == "0 2147483647");
  CHECK(plan.process.capabilities.value().bounding == 0xa80425fb);
  CHECK(plan.process.capabilities.value().inheritable == 0);
  CHECK(plan.process.oom_score_adj == 0);
  CHECK(plan.process.user.umask == 022);
  CHECK(plan.seccomp.value().rules.size() == 12);
  CHECK(plan.cgroups_path == "/berth-test/docker-default");
  // What dockerd writes as 0 for "not set".
  CHECK_FALSE(plan.resources.cpu.shares.has_value());
  CHECK_FALSE(plan.resources.block_io.weight.has_value());
  CHECK(plan.resources.devices.size() == 8);
}

TEST_CASE("Podman's configuration becomes a plan") {
  const ContainerPlan plan = engine("podman");
  CHECK(plan.seccomp.value().default_errno_return == 38);
  CHECK(plan.seccomp.value().rules.at(0).errno_return == 1);
  CHECK(plan.process.rlimits.size() == 2);
  CHECK(plan.resources.pids_limit == 2048);
  CHECK(plan.annotations.at("io.container.manager") == "libpod");
  CHECK(plan.rootfs.mounts.back().kind == MountKind::kCgroup);
  CHECK(plan.rootfs.mounts.back().propagation == MS_PRIVATE);
  CHECK(plan.rootfs.mounts.back().propagation_recursive);
}

TEST_CASE("containerd's configuration becomes a plan") {
  const ContainerPlan plan = engine("containerd");
  CHECK_FALSE(plan.seccomp.has_value());
  CHECK(plan.process.no_new_privileges);
  CHECK(plan.resources.cpu.shares == 1024U);
  CHECK(plan.resources.devices.at(8).major == 136U);
  CHECK_FALSE(plan.resources.devices.at(8).minor.has_value());
}

TEST_CASE("The good examples of the specification for Linux become plans") {
  for (const std::string name : {"linux-rdma", "minimal", "minimal-for-start", "spec-example"}) {
    INFO(name);
    const auto plan = lower_text(read_test_file(BERTH_TEST_DATA "/config/good/" + name + ".json"));
    CHECK((plan ? "" : plan.error().message()) == "");
  }
  const auto example = lower_text(read_test_file(BERTH_TEST_DATA "/config/good/spec-example.json")).value();
  CHECK(example.namespaces.time_offsets.size() == 2);
  CHECK(example.namespaces.creates(CLONE_NEWTIME));
  CHECK(example.process.capabilities.value().ambient == std::uint64_t{1} << 10);
  CHECK(example.hooks.prestart.size() == 2);
  CHECK(example.hooks.poststart.at(0).timeout == std::chrono::seconds(5));
  CHECK(example.rootfs.devices.size() == 8);
}

TEST_CASE("Configurations for other systems and bad examples are refused") {
  for (const auto& [name, expected] :
       {std::pair{"good/freebsd-example", "/freebsd: got a configuration for another system"},
        std::pair{"good/freebsd-minimal", "/freebsd: got a configuration for another system"},
        std::pair{"good/zos-example", "/zos: got a configuration for another system"},
        std::pair{"good/zos-minimal", "/zos: got a configuration for another system"},
        std::pair{"good/linux-netdevice", "/linux/netDevices: got network devices, expected a network namespace"},
        std::pair{"bad/freebsd-vnet-disable", "/freebsd: got a configuration for another system"},
        std::pair{"bad/linux-hugepage", "/linux/resources/hugepageLimits/0/pageSize: got \"64kB\""}}) {
    const auto plan = lower_text(read_test_file(BERTH_TEST_DATA "/config/" + std::string(name) + ".json"));
    REQUIRE_FALSE(plan.has_value());
    CHECK_THAT(plan.error().message(), Catch::StartsWith(expected));
  }
  CHECK(error_of({.top = R"("windows": {}, "vm": {}, "freebsd": {})"}).empty());
}

TEST_CASE("The version is a semantic one that this program knows") {
  const auto error_with = [](const std::string& version) {
    const auto plan = lower_text(R"({"ociVersion": ")" + version + R"(", "root": {"path": "r"}})");
    return plan ? "" : plan.error().message();
  };
  for (const std::string version :
       {"1.0.0", "1.3.0", "1.99.0", "1.0.2-dev", "1.1.0+dev", "1.0.0-rc.1+b", "0.5.0-dev"}) {
    INFO(version);
    CHECK(error_with(version).empty());
  }
  for (const std::string version : {"", "1", "1.0", "1.0.", "v1.0.0", "1.0.0 ", "1.0.0-", "1.0.x", "01.0.0", "1.00.0",
                                    "2.0.0", "-1.0.0", "1.0.0_1", "1.0.0.0"}) {
    INFO(version);
    CHECK_THAT(error_with(version), Catch::StartsWith("/ociVersion: got \"" + version));
  }
}

TEST_CASE("Errors of all parts are told at once") {
  CHECK_THAT(error_of({.top = R"("hostname": "h", "hooks": {"poststop": [{"path": "x", "timeout": 0}]})",
                       .process = R"("oomScoreAdj": 5000)",
                       .linux_block = R"("cgroupsPath": "..", "intelRdt": {"closID": ".."})",
                       .namespaces = R"({"type": "mount"})"}),
             Catch::Equals("/hostname: got \"h\", expected a uts namespace in /linux/namespaces: the name would be the "
                           "host's; /process/oomScoreAdj: got 5000, expected an integer from -1000 to 1000; "
                           "/linux/cgroupsPath: got \"..\", expected a path without ..; /linux/intelRdt/closID: got "
                           "\"..\", expected the name of a directory of resctrl, or / for the default class; "
                           "/hooks/poststop/0/path: got "
                           "\"x\", expected an absolute path; /hooks/poststop/0/timeout: got 0, expected at least 1 "
                           "second"));
}

TEST_CASE("Hooks of every stage are kept in their order") {
  const Hooks hooks = plan_of({.top = R"("hooks": {
      "prestart": [{"path": "/1"}], "createRuntime": [{"path": "/2", "args": ["a"], "env": ["B=c"], "timeout": 7}],
      "createContainer": [{"path": "/3"}], "startContainer": [{"path": "/4"}], "poststart": [{"path": "/5"}],
      "poststop": [{"path": "/6"}, {"path": "/7"}]})"})
                          .hooks;
  CHECK(hooks.prestart.at(0).path == "/1");
  CHECK(hooks.create_runtime.at(0).path == "/2");
  CHECK(hooks.create_runtime.at(0).args == std::vector<std::string>{"a"});
  CHECK(hooks.create_runtime.at(0).env == std::vector<std::string>{"B=c"});
  CHECK(hooks.create_runtime.at(0).timeout == std::chrono::seconds(7));
  CHECK(hooks.create_container.at(0).path == "/3");
  CHECK(hooks.start_container.at(0).path == "/4");
  CHECK(hooks.poststart.at(0).path == "/5");
  CHECK(hooks.poststop.at(1).path == "/7");
}

TEST_CASE("Root, cgroups path and annotations") {
  CHECK(plan_of({.linux_block = R"("cgroupsPath": "system.slice:berth:web")"}).cgroups_path ==
        "system.slice:berth:web");
  CHECK(plan_of({.linux_block = R"("cgroupsPath": "a/..b/c..")"}).cgroups_path == "a/..b/c..");
  CHECK_THAT(error_of({.linux_block = R"("cgroupsPath": "/a/../b")"}), Catch::StartsWith("/linux/cgroupsPath: got"));
  CHECK_THAT(error_of({.top = R"("annotations": {"": "x"})"}), Catch::StartsWith("/annotations/: got"));
  const auto no_root = lower_text(R"({"ociVersion": "1.3.0"})");
  REQUIRE_FALSE(no_root.has_value());
  CHECK(no_root.error().message() == "/root: got nothing, expected this property");
  CHECK(no_root.error().kind() == ErrorKind::kConfig);
  const auto root = [](const std::string& path) {
    return lower_text(R"({"ociVersion": "1.3.0", "root": {"path": ")" + path + R"("}})").value().rootfs.path;
  };
  CHECK(root("a/b/") == "/bundle/a/b");
  CHECK(root("/srv/./rootfs") == "/srv/rootfs");
  CHECK(root(".") == "/bundle");
}

TEST_CASE("A configuration without process has a plan without a program") {
  const ContainerPlan plan = lower_text(R"({"ociVersion": "1.3.0", "root": {"path": "r"}})").value();
  CHECK(plan.process.args.empty());
  CHECK_FALSE(plan.process.capabilities.has_value());
  CHECK(plan.rootfs.devices.empty());
}

}  // namespace
}  // namespace berth::plan
