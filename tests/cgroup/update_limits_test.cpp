#include "cgroup/update_limits.hpp"

#include <catch2/catch.hpp>

#include "cgroup/devices.hpp"

using namespace berth;
using namespace berth::cgroup;

namespace {

std::string undo(const std::string& file, const std::string& value, std::string_view text) {
  return undo_of({.property = "/linux/resources/x", .controller = "x", .file = file, .value = value}, text).value;
}

}  // namespace

TEST_CASE("A limit is undone by what its file says now") {
  CHECK(undo("pids.max", "7", "max\n") == "max");
  CHECK(undo("memory.limit_in_bytes", "-1", "4096\n") == "4096");
  CHECK(undo("cpu.max", "50000 100000", "max 100000\n") == "max 100000");
  CHECK(undo("memory.oom_control", "1", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n") == "0");
  CHECK(undo("io.bfq.weight", "300", "default 100\n8:0 200\n") == "default 100");
  CHECK(undo("cpuset.cpus", "0-1", "\n") == "\n");
  // A line for each device.
  CHECK(undo("io.max", "8:0 rbps=5", "8:16 rbps=1 wbps=max\n8:0 rbps=2 wbps=3\n") == "8:0 rbps=2 wbps=3");
  CHECK(undo("io.max", "8:0 rbps=5", "") == "8:0 rbps=max wbps=max riops=max wiops=max");
  CHECK(undo("blkio.throttle.read_bps_device", "8:0 5", "8:1 9\n") == "8:0 0");
  CHECK(undo("blkio.bfq.weight_device", "8:0 5", "default 100\n") == "8:0 default");
  CHECK(undo("net_prio.ifpriomap", "lo 3", "eth0 1\nlo 2\n") == "lo 2");
  CHECK(undo("rdma.max", "mlx hca_handle=1", "mlx hca_handle=2 hca_object=max\n") == "mlx hca_handle=2 hca_object=max");
}

TEST_CASE("Half a limit is completed with what is in force") {
  const unified::InForce in_force{.cpu_max = "50000 200000\n", .memory_max = "1000\n", .memory_swap_max = "500\n"};
  plan::Resources resources;
  resources.cpu.quota = 9000;
  resources.memory.limit = 1200;
  unified::complete(resources, in_force);
  CHECK(resources.cpu.period == 200000U);
  CHECK(resources.memory.swap == 1500);

  resources = {};
  resources.cpu.period = 1000;
  resources.memory.swap = 1600;
  unified::complete(resources, in_force);
  CHECK(resources.cpu.quota == 50000);
  CHECK(resources.memory.limit == 1000);

  resources = {};
  resources.cpu.period = 1000;
  resources.memory.limit = 1200;
  unified::complete(resources, {.cpu_max = "max 100000\n", .memory_max = "1000\n", .memory_swap_max = "0\n"});
  CHECK(resources.cpu.quota == -1);
  CHECK_FALSE(resources.memory.swap.has_value());  // no swap stays no swap

  resources = {};
  resources.memory.limit = -1;
  unified::complete(resources, in_force);
  CHECK_FALSE(resources.memory.swap.has_value());
  CHECK_FALSE(resources.cpu.quota.has_value());
}

TEST_CASE("Device rules of v1 change by their difference") {
  using Changes = std::vector<legacy::DeviceChange>;
  const legacy::DeviceWrites wanted{
      .first_file = "devices.deny", .other_file = "devices.allow", .others = {"c 1:3 rw", "c 1:5 rwm", "b *:* m"}};
  CHECK(legacy::device_changes("c 1:3 rwm\nc 1:7 r\nb *:* m\n", wanted) ==
        Changes{{true, "c 1:5 rwm"}, {false, "c 1:3 m"}, {false, "c 1:7 r"}});
  CHECK(legacy::device_changes("c 1:3 rw\nc 1:5 rwm\nb *:* m\n", wanted) == Changes{});
  CHECK_FALSE(legacy::device_changes("a *:* rwm\n", wanted).has_value());
  CHECK_FALSE(legacy::device_changes("c 1:3 rwm\n", {.first_file = "devices.allow", .other_file = {}, .others = {}})
                  .has_value());
}
