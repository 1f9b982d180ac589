#include <sched.h>

#include <catch2/catch.hpp>

#include "plan/lowered.hpp"

namespace berth::plan {
namespace {

constexpr HostFacts kRootless{.euid = 1000, .rootless = true};

std::string user_namespace(const std::string& uid_mappings) {
  return "\"uidMappings\": [" + uid_mappings + R"(], "gidMappings": [{"containerID": 0, "hostID": 5, "size": 1}])";
}
const std::string kWithUser = R"({"type": "mount"}, {"type": "user"})";

TEST_CASE("Namespaces are created, or joined by their path") {
  const Namespaces plan = plan_of({.namespaces = R"({"type": "cgroup"}, {"type": "ipc", "path": "/n/ipc"},
      {"type": "mount", "path": ""}, {"type": "network", "path": "/n/net"}, {"type": "pid"}, {"type": "time"},
      {"type": "uts"})"})
                              .namespaces;
  CHECK(plan.created == std::uint64_t{CLONE_NEWCGROUP | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWTIME | CLONE_NEWUTS});
  REQUIRE(plan.joined.size() == 2);
  CHECK(plan.joined[0].flag == CLONE_NEWIPC);
  CHECK(plan.joined[0].path == "/n/ipc");
  CHECK(plan.joins(CLONE_NEWNET));
  CHECK(plan.has(CLONE_NEWNET));
  CHECK_FALSE(plan.has(CLONE_NEWUSER));
}

TEST_CASE("Namespaces that cannot be are refused") {
  for (const auto& [list, expected] :
       {std::pair{R"({"type": "disk"})", "/linux/namespaces/0/type: got \"disk\", expected one of cgroup, ipc, mount"},
        std::pair{R"({"type": "pid"}, {"type": "pid"})", "/linux/namespaces/1/type: got \"pid\" again"},
        std::pair{R"({"type": "pid"}, {"type": "pid", "path": "/x"})", "/linux/namespaces/1/type: got \"pid\" again"},
        std::pair{R"({"type": "pid", "path": "x"})",
                  "/linux/namespaces/0/path: got \"x\", expected an absolute path"}}) {
    INFO(list);
    CHECK_THAT(error_of({.namespaces = list}), Catch::StartsWith(expected));
  }
}

TEST_CASE("Id maps belong to a user namespace") {
  const std::string one = R"({"containerID": 0, "hostID": 100000, "size": 65536})";
  const Namespaces plan = plan_of({.linux_block = user_namespace(one), .namespaces = kWithUser}).namespaces;
  REQUIRE(plan.uid_mappings.size() == 1);
  CHECK(plan.uid_mappings[0].host_id == 100000);
  CHECK(plan.gid_mappings.at(0).size == 1);
  CHECK_THAT(error_of({.namespaces = kWithUser}),
             Catch::StartsWith("/linux/uidMappings: got nothing, expected a mapping") &&
                 Catch::Contains("/linux/gidMappings: got nothing"));
  CHECK_THAT(error_of({.linux_block = user_namespace(one)}),
             Catch::StartsWith("/linux/uidMappings: got a mapping, expected a user namespace"));
  // Engines write them beside the path of a namespace that has them: whether it has is seen when it is joined.
  CHECK(error_of({.linux_block = user_namespace(one), .namespaces = R"({"type": "user", "path": "/n"})"}).empty());
  CHECK(error_of({.namespaces = R"({"type": "user", "path": "/n"})"}).empty());
}

TEST_CASE("Id maps follow the kernel's rules") {
  const std::string zero = R"({"containerID": 0, "hostID": 1000, "size": 1})";
  for (const auto& [entry, expected] :
       {std::pair{R"({"containerID": 5, "hostID": 5, "size": 0})", "/linux/uidMappings/1/size: got 0"},
        std::pair{R"({"containerID": 5, "hostID": 4294967295, "size": 1})", "/linux/uidMappings/1/size: got 1"},
        std::pair{R"({"containerID": 4294967290, "hostID": 5, "size": 6})", "/linux/uidMappings/1/size: got 6"},
        std::pair{R"({"containerID": 0, "hostID": 5, "size": 9})", "/linux/uidMappings/1: got ids that an earlier"},
        std::pair{R"({"containerID": 5, "hostID": 999, "size": 2})",
                  "/linux/uidMappings/1: got ids that an earlier"}}) {
    INFO(entry);
    CHECK_THAT(error_of({.linux_block = user_namespace(zero + "," + entry), .namespaces = kWithUser}),
               Catch::StartsWith(expected));
  }
  CHECK(error_of({.linux_block = user_namespace(zero + R"(, {"containerID": 1, "hostID": 1001, "size": 5},
                                                {"containerID": 4294967290, "hostID": 7, "size": 5})"),
                  .namespaces = kWithUser})
            .empty());
  std::string many = zero;
  for (unsigned entry = 1; entry <= 340; ++entry) {
    many += R"(, {"containerID": )" + std::to_string(entry) + R"(, "hostID": )" + std::to_string(entry + 1000) +
            R"(, "size": 1})";
  }
  CHECK_THAT(error_of({.linux_block = user_namespace(many), .namespaces = kWithUser}),
             Catch::StartsWith("/linux/uidMappings: got 341 entries, expected at most 340"));
}

TEST_CASE("A rootless container has a user namespace") {
  CHECK_THAT(error_of({}, kRootless), Catch::StartsWith("/linux/namespaces: got no user namespace"));
  CHECK(error_of(
            {.linux_block = user_namespace(R"({"containerID": 0, "hostID": 1, "size": 1})"), .namespaces = kWithUser},
            kRootless)
            .empty());
  CHECK(error_of({}, {.euid = 0, .rootless = true}).empty());  // root of a user namespace already
}

TEST_CASE("Time offsets need a new time namespace and the range of a clock") {
  const std::string with_time = R"({"type": "mount"}, {"type": "time"})";
  const auto offset = [](const std::string& text) { return "\"timeOffsets\": {" + text + "}"; };
  const auto plan = plan_of(
      {.linux_block = offset(R"("boottime": {"secs": -5, "nanosecs": 6}, "monotonic": {})"), .namespaces = with_time});
  REQUIRE(plan.namespaces.time_offsets.size() == 2);
  CHECK(plan.namespaces.time_offsets[0].clock == "boottime");
  CHECK(plan.namespaces.time_offsets[0].seconds == -5);
  CHECK(plan.namespaces.time_offsets[0].nanoseconds == 6);
  CHECK_THAT(error_of({.linux_block = offset(R"("boottime": {"secs": 1})")}),
             Catch::StartsWith("/linux/timeOffsets/boottime: got an offset, expected a new time namespace"));
  for (const auto& [text, expected] :
       {std::pair{R"("realtime": {"secs": 1})", "/linux/timeOffsets/realtime: got \"realtime\""},
        std::pair{R"("boottime": {"secs": 9223372037})", "/linux/timeOffsets/boottime/secs: got 9223372037"},
        std::pair{R"("boottime": {"secs": -9223372037})", "/linux/timeOffsets/boottime/secs: got -9223372037"},
        std::pair{R"("boottime": {"nanosecs": 1000000000})", "/linux/timeOffsets/boottime/nanosecs: got 1000000000"}}) {
    INFO(text);
    CHECK_THAT(error_of({.linux_block = offset(text), .namespaces = with_time}), Catch::StartsWith(expected));
  }
}

TEST_CASE("Host and domain name need a uts namespace") {
  const auto plan = plan_of({.top = R"("hostname": "h", "domainname": "d")"});
  CHECK(plan.namespaces.hostname == "h");
  CHECK(plan.namespaces.domainname == "d");
  const std::string only_mount = R"({"type": "mount"})";
  CHECK_THAT(error_of({.top = R"("hostname": "h")", .namespaces = only_mount}),
             Catch::StartsWith("/hostname: got \"h\""));
  CHECK_THAT(error_of({.top = R"("domainname": "d")", .namespaces = only_mount}),
             Catch::StartsWith("/domainname: got \"d\""));
  CHECK(error_of({.top = "\"hostname\": \"" + std::string(64, 'h') + "\""}).empty());
  CHECK_THAT(error_of({.top = "\"hostname\": \"" + std::string(65, 'h') + "\""}),
             Catch::Contains("expected at most 64 bytes"));
  CHECK(error_of({.top = R"("hostname": "h")", .namespaces = R"({"type": "uts", "path": "/n"})"}).empty());
}

TEST_CASE("Sysctls of a namespace that the container has are set") {
  for (const std::string name :
       {"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax",
        "kernel.shmmni", "kernel.shm_rmid_forced", "fs.mqueue.msg_max", "net.core.somaxconn", "kernel.domainname"}) {
    INFO(name);
    CHECK(error_of({.linux_block = "\"sysctl\": {\"" + name + "\": \"1\"}"}).empty());
    CHECK_THAT(error_of({.linux_block = "\"sysctl\": {\"" + name + "\": \"1\"}", .namespaces = R"({"type": "mount"})"}),
               Catch::StartsWith("/linux/sysctl/" + name + ": got \"1\", expected a"));
  }
  const std::string user = R"("sysctl": {"user.max_mnt_namespaces": "1"})";
  CHECK_THAT(error_of({.linux_block = user}), Catch::StartsWith("/linux/sysctl/user.max_mnt_namespaces: got"));
  CHECK(error_of({.linux_block = user, .namespaces = R"({"type": "user", "path": "/n"})"}).empty());
}

TEST_CASE("Both separators of sysctl.d(5) name the same file") {
  const auto path = [](const std::string& name) {
    return plan_of({.linux_block = "\"sysctl\": {\"" + name + "\": \"1\"}"}).namespaces.sysctls.at(0).path;
  };
  CHECK(path("net.ipv4.ip_forward") == "net/ipv4/ip_forward");
  CHECK(path("net/ipv4/ip_forward") == "net/ipv4/ip_forward");
  CHECK(path("net.ipv4.conf.eth0/1.forwarding") == "net/ipv4/conf/eth0.1/forwarding");
  CHECK(path("net/ipv4/conf/eth0.1/forwarding") == "net/ipv4/conf/eth0.1/forwarding");
  CHECK_THAT(error_of({.linux_block = R"("sysctl": {"net.core.somaxconn": "1", "net/core/somaxconn": "2"})"}),
             Catch::StartsWith("/linux/sysctl/net~1core~1somaxconn: got the sysctl twice"));
}

TEST_CASE("Sysctls that are not a namespace's are refused") {
  for (const auto& [name, pointer] :
       {std::pair{"kernel.panic", "kernel.panic"}, std::pair{"vm.swappiness", "vm.swappiness"},
        std::pair{"kernel.hostname", "kernel.hostname"}, std::pair{"kernel", "kernel"}, std::pair{"", ""},
        std::pair{"net/../kernel/panic", "net~1..~1kernel~1panic"}, std::pair{"net.core/../x", "net.core~1..~1x"},
        std::pair{"net..core", "net..core"}, std::pair{"net/core/", "net~1core~1"},
        std::pair{"/net/core", "~1net~1core"}, std::pair{"kernel.msgmaxx", "kernel.msgmaxx"},
        std::pair{"fs.mqueue", "fs.mqueue"}, std::pair{"network.x", "network.x"}}) {
    INFO(name);
    CHECK_THAT(error_of({.linux_block = "\"sysctl\": {\"" + std::string(name) + "\": \"1\"}"}),
               Catch::StartsWith("/linux/sysctl/" + std::string(pointer) + ": got \"1\""));
  }
  CHECK_THAT(error_of({.linux_block = R"("sysctl": {"kernel.hostname": "x"})"}), Catch::Contains("/hostname instead"));
}

}  // namespace
}  // namespace berth::plan
