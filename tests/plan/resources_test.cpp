#include <catch2/catch.hpp>

#include "plan/lowered.hpp"
#include "plan/resource_checks.hpp"

namespace berth::plan {
namespace {

std::string resources(const std::string& members) {
  return "\"resources\": {" + members + "}";
}
Resources plan_with(const std::string& members) {
  return plan_of({.linux_block = resources(members)}).resources;
}

TEST_CASE("Device rules") {
  const std::vector<DeviceRule> plan = plan_with(R"("devices": [{"allow": false, "access": "rwm"},
      {"allow": true, "type": "c", "major": 10, "minor": -1, "access": "mr"},
      {"allow": true, "type": "b", "minor": 0, "access": "w"}, {"allow": true, "type": "a", "access": "r"}])")
                                           .devices;
  REQUIRE(plan.size() == 4);
  CHECK_FALSE(plan[0].allow);
  CHECK(plan[0].type == 'a');
  CHECK((plan[0].read && plan[0].write && plan[0].mknod));
  CHECK(plan[1].type == 'c');
  CHECK(plan[1].major == 10U);
  CHECK_FALSE(plan[1].minor.has_value());
  CHECK((plan[1].read && !plan[1].write && plan[1].mknod));
  CHECK(plan[2].minor == 0U);
  CHECK(plan[3].type == 'a');
}

TEST_CASE("What engines write as 0 for not set is not set") {
  const Resources plan = plan_with(R"("cpu": {"shares": 0, "quota": 0, "period": 0, "realtimeRuntime": 0,
      "realtimePeriod": 0, "burst": 0, "idle": 0}, "blockIO": {"weight": 0, "leafWeight": 0, "weightDevice":
      [{"major": 8, "minor": 0, "weight": 0}]}, "network": {"classID": 0}, "memory": {"limit": 0, "reservation": 0,
      "swap": 0, "kernel": 0, "kernelTCP": -1, "swappiness": 0})");
  CHECK_FALSE(plan.cpu.shares.has_value());
  CHECK_FALSE(plan.cpu.quota.has_value());
  CHECK_FALSE(plan.cpu.period.has_value());
  CHECK_FALSE(plan.cpu.realtime_runtime.has_value());
  CHECK_FALSE(plan.cpu.realtime_period.has_value());
  CHECK(plan.cpu.burst == 0U);
  CHECK(plan.cpu.idle == 0);
  CHECK_FALSE(plan.block_io.weight.has_value());
  CHECK_FALSE(plan.block_io.leaf_weight.has_value());
  CHECK_FALSE(plan.block_io.weight_devices.at(0).weight.has_value());
  CHECK_FALSE(plan.network_class_id.has_value());
  CHECK_FALSE(plan.memory.limit.has_value());
  CHECK_FALSE(plan.memory.reservation.has_value());
  CHECK_FALSE(plan.memory.swap.has_value());
  CHECK_FALSE(plan.memory.kernel_tcp.has_value());
  CHECK(plan.memory.swappiness == 0U);
}

TEST_CASE("A pids limit of 0 is a limit since 1.3 of the specification") {
  const auto limit = [](const std::string& version, int number) {
    return lower_text(R"({"ociVersion": ")" + version + R"(", "root": {"path": "r"}, "linux": {"resources": {"pids":
                         {"limit": )" +
                      std::to_string(number) + "}}}}")
        .value()
        .resources.pids_limit;
  };
  CHECK(limit("1.3.0", 0) == 0);
  CHECK(limit("1.0.2-dev", 0) == std::nullopt);
  CHECK(limit("1.2.1", 0) == std::nullopt);
  CHECK(limit("1.10.0", 0) == 0);
  CHECK(limit("1.0.0", 5) == 5);
  CHECK(limit("1.0.0", -1) == -1);
  CHECK(limit("1.3.0", -7) == -1);
  CHECK(plan_with("").pids_limit == std::nullopt);
}

TEST_CASE("Limits are kept as they are") {
  const Resources plan = plan_with(R"("memory": {"limit": 5, "reservation": -1, "swap": 6, "kernel": 7, "kernelTCP": 8,
      "swappiness": 100, "disableOOMKiller": true, "useHierarchy": false, "checkBeforeUpdate": true},
      "cpu": {"shares": 2, "quota": 1000, "burst": 1000, "period": 1000000, "realtimeRuntime": 3, "realtimePeriod": 4,
              "idle": 1, "cpus": "0-3", "mems": "0"},
      "blockIO": {"weight": 10, "leafWeight": 1000, "weightDevice": [{"major": 8, "minor": 1, "leafWeight": 11}],
                  "throttleReadBpsDevice": [{"major": 1, "minor": 2, "rate": 3}],
                  "throttleWriteBpsDevice": [{"major": 1, "minor": 2, "rate": 4}],
                  "throttleReadIOPSDevice": [{"major": 1, "minor": 2, "rate": 5}],
                  "throttleWriteIOPSDevice": [{"major": 1, "minor": 2, "rate": 6}]},
      "hugepageLimits": [{"pageSize": "2MB", "limit": 9}, {"pageSize": "64KB", "limit": 0}, {"pageSize": "1GB", "limit": 1}],
      "network": {"classID": 4294967295, "priorities": [{"name": "eth0", "priority": 5}]},
      "rdma": {"mlx": {"hcaHandles": 1}}, "unified": {"memory.high": "1"})");
  CHECK(plan.memory.limit == 5);
  CHECK(plan.memory.reservation == -1);
  CHECK(plan.memory.swap == 6);
  CHECK(plan.memory.kernel_tcp == 8);
  CHECK(plan.memory.disable_oom_killer == true);
  CHECK(plan.memory.use_hierarchy == false);
  CHECK(plan.memory.check_before_update);
  CHECK(plan.cpu.shares == 2U);
  CHECK(plan.cpu.quota == 1000);
  CHECK(plan.cpu.period == 1000000U);
  CHECK(plan.cpu.realtime_runtime == 3);
  CHECK(plan.cpu.idle == 1);
  CHECK(plan.cpu.cpus == "0-3");
  CHECK(plan.cpu.mems == "0");
  CHECK(plan.block_io.leaf_weight == std::uint16_t{1000});
  CHECK(plan.block_io.weight_devices.at(0).minor == 1);
  CHECK(plan.block_io.read_bps.at(0).rate == 3);
  CHECK(plan.block_io.write_bps.at(0).rate == 4);
  CHECK(plan.block_io.read_iops.at(0).rate == 5);
  CHECK(plan.block_io.write_iops.at(0).rate == 6);
  CHECK(plan.hugepages.size() == 3);
  CHECK(plan.network_class_id == UINT32_MAX);
  CHECK(plan.network_priorities.at(0).name == "eth0");
  CHECK(plan.rdma.at(0).handles == 1U);
  CHECK_FALSE(plan.rdma.at(0).objects.has_value());
  CHECK(plan.unified.at(0).first == "memory.high");
  CHECK(plan_with(R"("cpu": {"quota": -5})").cpu.quota == -1);
}

TEST_CASE("Resources that cannot be are refused") {
  for (const auto& [members, expected] :
       {std::pair{R"("devices": [{"allow": true, "type": "x", "access": "r"}])", "devices/0/type: got \"x\""},
        std::pair{R"("devices": [{"allow": true, "access": ""}])", "devices/0/access: got \"\""},
        std::pair{R"("devices": [{"allow": true, "access": "rx"}])", "devices/0/access: got \"rx\""},
        std::pair{R"("devices": [{"allow": true, "access": "r", "major": -2}])", "devices/0/major: got -2"},
        std::pair{R"("devices": [{"allow": true, "access": "r", "minor": 4294967296}])", "devices/0/minor: got"},
        std::pair{R"("memory": {"limit": -2})", "memory/limit: got -2"},
        std::pair{R"("memory": {"reservation": -2})", "memory/reservation: got -2"},
        std::pair{R"("memory": {"limit": 10, "swap": 9})", "memory/swap: got 9, expected at least memory/limit, 10"},
        std::pair{R"("memory": {"limit": -1, "swap": 9})", "memory/swap: got 9"},
        std::pair{R"("memory": {"swappiness": 101})", "memory/swappiness: got 101"},
        std::pair{R"("cpu": {"quota": 999})", "cpu/quota: got 999"},
        std::pair{R"("cpu": {"period": 999})", "cpu/period: got 999"},
        std::pair{R"("cpu": {"period": 1000001})", "cpu/period: got 1000001"},
        std::pair{R"("cpu": {"quota": 1000, "burst": 1001})", "cpu/burst: got 1001"},
        std::pair{R"("cpu": {"idle": 2})", "cpu/idle: got 2"},
        std::pair{R"("cpu": {"idle": -1})", "cpu/idle: got -1"},
        std::pair{R"("cpu": {"cpus": "a"})", "cpu/cpus: got \"a\""},
        std::pair{R"("cpu": {"mems": "1024"})", "cpu/mems: got \"1024\""},
        std::pair{R"("blockIO": {"weight": 9})", "blockIO/weight: got 9"},
        std::pair{R"("blockIO": {"leafWeight": 1001})", "blockIO/leafWeight: got 1001"},
        std::pair{R"("blockIO": {"weightDevice": [{"major": -1, "minor": 0}]})",
                  "blockIO/weightDevice/0/major: got -1"},
        std::pair{R"("blockIO": {"throttleReadIOPSDevice": [{"major": 0, "minor": 4294967296}]})",
                  "blockIO/throttleReadIOPSDevice/0/minor: got 4294967296"},
        std::pair{R"("hugepageLimits": [{"pageSize": "2mb", "limit": 1}])", "hugepageLimits/0/pageSize: got \"2mb\""},
        std::pair{R"("hugepageLimits": [{"pageSize": "02MB", "limit": 1}])", "hugepageLimits/0/pageSize: got"},
        std::pair{R"("hugepageLimits": [{"pageSize": "MB", "limit": 1}])", "hugepageLimits/0/pageSize: got"},
        std::pair{R"("hugepageLimits": [{"pageSize": "2MB/../x", "limit": 1}])", "hugepageLimits/0/pageSize: got"},
        std::pair{R"("unified": {"../memory.max": "1"})", "unified/..~1memory.max: got"},
        std::pair{R"("unified": {"memory.max/../../x": "1"})", "unified/memory.max~1..~1..~1x: got"},
        std::pair{R"("unified": {"..": "1"})", "unified/..: got"},
        std::pair{R"("unified": {"": "1"})", "unified/: got"},
        std::pair{R"("unified": {"memory": "1"})", "unified/memory: got"}}) {
    INFO(members);
    CHECK_THAT(error_of({.linux_block = resources(members)}),
               Catch::StartsWith("/linux/resources/" + std::string(expected)));
  }
}

}  // namespace
}  // namespace berth::plan
