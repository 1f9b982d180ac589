#include "cgroup/legacy/limits.hpp"

#include <catch2/catch.hpp>

#include "cgroup/controllers.hpp"
#include "cgroup/limits.hpp"
#include "cgroup/unified/limits.hpp"

// An entry of a table names only the limits that it is about.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

using namespace berth;
using namespace berth::cgroup;
using plan::Resources;

namespace {

const Controllers kV1{
    .legacy = {"cpuset", "cpu", "cpuacct", "memory", "pids", "blkio", "hugetlb", "rdma", "net_cls", "net_prio"},
    .has_unified = false,
    .unified = {}};
const Controllers kV2{
    .legacy = {}, .has_unified = true, .unified = {"cpuset", "cpu", "io", "memory", "pids", "hugetlb", "rdma"}};
const Controllers kHybrid{.legacy = {"cpu", "memory"}, .has_unified = true, .unified = {"hugetlb"}};

// "file=value" of each write, in order; a fallback follows after "|", a file that may be missing ends with "?".
std::vector<std::string> texts(const std::vector<FileWrite>& writes) {
  std::vector<std::string> result;
  for (const FileWrite& write : writes) {
    CHECK(write.property.starts_with("/linux/resources/"));
    std::string text = write.file + "=" + write.value;
    if (!write.fallback_file.empty()) {
      text += "|" + write.fallback_file + "=" + write.fallback_value;
    }
    result.push_back(text + (write.may_be_missing ? "?" : ""));
  }
  return result;
}

std::vector<std::string> v1(const Resources& resources) {
  return texts(translate(resources, kV1, nullptr).value().legacy);
}
std::vector<std::string> v2(const Resources& resources) {
  return texts(translate(resources, kV2, nullptr).value().unified);
}
std::string error_of(const Resources& resources, const Controllers& controllers) {
  const Result<Limits> limits = translate(resources, controllers, nullptr);
  return limits ? "no error" : limits.error().message();
}

using Texts = std::vector<std::string>;

Resources with_memory(const plan::MemoryLimits& memory) {
  Resources resources;
  resources.memory = memory;
  return resources;
}

Resources with_cpu(const plan::CpuLimits& cpu) {
  Resources resources;
  resources.cpu = cpu;
  return resources;
}

}  // namespace

TEST_CASE("no limits, no writes") {
  CHECK(v1({}).empty());
  CHECK(v2({}).empty());
  CHECK_FALSE(needs_unified({}, {}).value());
}

TEST_CASE("memory limits on v1") {
  plan::MemoryLimits memory;
  memory.limit = 1048576;
  memory.reservation = 524288;
  memory.swap = 2097152;
  memory.kernel_tcp = 4096;
  memory.swappiness = 0;
  memory.disable_oom_killer = true;
  memory.use_hierarchy = true;
  CHECK(v1(with_memory(memory)) == Texts{"memory.use_hierarchy=1", "memory.limit_in_bytes=1048576",
                                         "memory.memsw.limit_in_bytes=2097152", "memory.soft_limit_in_bytes=524288",
                                         "memory.kmem.tcp.limit_in_bytes=4096", "memory.swappiness=0",
                                         "memory.oom_control=1"});
  CHECK(v1(with_memory({.limit = -1})) == Texts{"memory.limit_in_bytes=-1", "memory.memsw.limit_in_bytes=-1?"});
  CHECK(v1(with_memory({.limit = 4096, .swap = -1})) ==
        Texts{"memory.limit_in_bytes=4096", "memory.memsw.limit_in_bytes=-1?"});
  // Docker writes this for every container.
  CHECK(v1(with_memory({.disable_oom_killer = false})).empty());
}

TEST_CASE("memory limits on v2") {
  CHECK(v2(with_memory({.limit = 1048576, .reservation = 524288, .swap = 2097152})) ==
        Texts{"memory.swap.max=1048576", "memory.max=1048576", "memory.low=524288"});
  CHECK(v2(with_memory({.limit = 4096, .swap = 4096})) == Texts{"memory.swap.max=0?", "memory.max=4096"});
  CHECK(v2(with_memory({.limit = 4096, .swap = -1})) == Texts{"memory.swap.max=max?", "memory.max=4096"});
  CHECK(v2(with_memory({.limit = -1})) == Texts{"memory.swap.max=max?", "memory.max=max"});
  CHECK(v2(with_memory({.swap = -1})) == Texts{"memory.swap.max=max?"});
  CHECK(v2(with_memory({.limit = 4096})) == Texts{"memory.max=4096"});
  CHECK(v2(with_memory({.reservation = -1})) == Texts{"memory.low=max"});
  // These say what cgroup2 does anyway.
  CHECK(v2(with_memory({.kernel_tcp = -1, .disable_oom_killer = false, .use_hierarchy = true})).empty());
}

TEST_CASE("memory limits that cgroup2 does not have are errors") {
  const std::pair<plan::MemoryLimits, const char*> table[] = {
      {{.swap = 4096}, "/linux/resources/memory/swap is 4096"},
      {{.limit = -1, .swap = 4096}, "/linux/resources/memory/swap is 4096"},
      {{.limit = 8192, .swap = 4096}, "/linux/resources/memory/swap is 4096"},
      {{.kernel_tcp = 4096}, "/linux/resources/memory/kernelTCP:"},
      {{.swappiness = 60}, "/linux/resources/memory/swappiness:"},
      {{.disable_oom_killer = true}, "/linux/resources/memory/disableOOMKiller:"},
      {{.use_hierarchy = false}, "/linux/resources/memory/useHierarchy:"},
  };
  for (const auto& [memory, start] : table) {
    CAPTURE(start);
    CHECK(error_of(with_memory(memory), kV2).starts_with(start));
  }
}

TEST_CASE("cpu limits on v1") {
  plan::CpuLimits cpu;
  cpu.shares = 512;
  cpu.period = 50000;
  cpu.quota = 25000;
  cpu.burst = 1000;
  cpu.realtime_period = 1000000;
  cpu.realtime_runtime = 950000;
  cpu.cpus = "0-1,3";
  cpu.mems = "0";
  CHECK(v1(with_cpu(cpu)) == Texts{"cpuset.cpus=0-1,3", "cpuset.mems=0", "cpu.shares=512", "cpu.cfs_period_us=50000",
                                   "cpu.cfs_quota_us=25000", "cpu.cfs_burst_us=1000", "cpu.rt_period_us=1000000",
                                   "cpu.rt_runtime_us=950000"});
  CHECK(v1(with_cpu({.quota = -1})) == Texts{"cpu.cfs_quota_us=-1"});
  CHECK(v1(with_cpu({.burst = 0})) == Texts{"cpu.cfs_burst_us=0?"});
  // Not idle any more before the shares; idle has none.
  CHECK(v1(with_cpu({.shares = 512, .idle = 0})) == Texts{"cpu.idle=0", "cpu.shares=512"});
  CHECK(v1(with_cpu({.shares = 512, .idle = 1})) == Texts{"cpu.idle=1"});
  for (const std::uint64_t shares : {1U, 262145U}) {
    CHECK(error_of(with_cpu({.shares = shares}), kV1).starts_with("/linux/resources/cpu/shares is "));
  }
}

TEST_CASE("cpu limits on v2") {
  CHECK(v2(with_cpu({.shares = 1024, .quota = 25000, .burst = 1000, .period = 50000, .cpus = "0", .mems = "0"})) ==
        Texts{"cpuset.cpus=0", "cpuset.mems=0", "cpu.weight=100", "cpu.max=25000 50000", "cpu.max.burst=1000"});
  CHECK(v2(with_cpu({.quota = 25000})) == Texts{"cpu.max=25000 100000"});
  CHECK(v2(with_cpu({.quota = -1})) == Texts{"cpu.max=max 100000"});
  CHECK(v2(with_cpu({.period = 50000})) == Texts{"cpu.max=max 50000"});
  CHECK(v2(with_cpu({.shares = 2, .idle = 0})) == Texts{"cpu.idle=0?", "cpu.weight=1"});
  CHECK(v2(with_cpu({.shares = 2, .idle = 1})) == Texts{"cpu.idle=1"});
  CHECK(v2(with_cpu({.realtime_runtime = 0, .realtime_period = 0})).empty());
  CHECK(error_of(with_cpu({.realtime_runtime = 1}), kV2).starts_with("/linux/resources/cpu/realtimeRuntime:"));
  CHECK(error_of(with_cpu({.realtime_period = 1}), kV2).starts_with("/linux/resources/cpu/realtimePeriod:"));
}

TEST_CASE("cpu.shares and cpu.weight meet at least, default and most") {
  const std::pair<std::uint64_t, std::uint64_t> table[] = {
      {0, 1},      {2, 1},         {3, 2},          {512, 59},       {1024, 100},
      {2048, 174}, {102400, 4429}, {262143, 10000}, {262144, 10000}, {1000000, 10000}};
  for (const auto& [shares, weight] : table) {
    CAPTURE(shares);
    CHECK(unified::cpu_weight(shares) == weight);
  }
}

TEST_CASE("pids.max: -1 is no limit, 0 is one") {
  Resources resources;
  resources.pids_limit = 2048;
  CHECK(v1(resources) == Texts{"pids.max=2048"});
  CHECK(v2(resources) == Texts{"pids.max=2048"});
  resources.pids_limit = -1;
  CHECK(v1(resources) == Texts{"pids.max=max"});
  resources.pids_limit = 0;
  CHECK(v2(resources) == Texts{"pids.max=0"});
}

TEST_CASE("block io limits") {
  Resources resources;
  resources.block_io.weight = 500;
  resources.block_io.weight_devices = {{.major = 8, .minor = 0, .weight = 300, .leaf_weight = {}}};
  resources.block_io.read_bps = {{8, 0, 1048576}};
  resources.block_io.write_bps = {{8, 16, 0}};
  resources.block_io.read_iops = {{8, 0, 100}};
  resources.block_io.write_iops = {{8, 0, 200}};
  CHECK(v1(resources) == Texts{"blkio.bfq.weight=500|blkio.weight=500",
                               "blkio.bfq.weight_device=8:0 300|blkio.weight_device=8:0 300",
                               "blkio.throttle.read_bps_device=8:0 1048576", "blkio.throttle.write_bps_device=8:16 0",
                               "blkio.throttle.read_iops_device=8:0 100", "blkio.throttle.write_iops_device=8:0 200"});
  CHECK(v2(resources) == Texts{"io.bfq.weight=500|io.weight=4950", "io.bfq.weight=8:0 300|io.weight=8:0 2930",
                               "io.max=8:0 rbps=1048576", "io.max=8:16 wbps=max", "io.max=8:0 riops=100",
                               "io.max=8:0 wiops=200"});
  Resources leaf;
  leaf.block_io.leaf_weight = 10;
  CHECK(v1(leaf) == Texts{"blkio.leaf_weight=10"});
  CHECK(error_of(leaf, kV2).starts_with("/linux/resources/blockIO/leafWeight:"));
  leaf = {};
  leaf.block_io.weight_devices = {{.major = 8, .minor = 0, .weight = {}, .leaf_weight = 20}};
  CHECK(v1(leaf) == Texts{"blkio.leaf_weight_device=8:0 20"});
  CHECK(error_of(leaf, kV2).starts_with("/linux/resources/blockIO/weightDevice/leafWeight:"));
}

TEST_CASE("blkio.weight and io.weight share their ends") {
  CHECK(unified::io_weight(0) == 1);
  CHECK(unified::io_weight(10) == 1);
  CHECK(unified::io_weight(1000) == 10000);
}

TEST_CASE("huge pages, rdma and network") {
  Resources resources;
  resources.hugepages = {{"2MB", 4194304}};
  resources.rdma = {{"mlx5_0", 3, 2000}, {"mlx5_1", {}, 5}};
  CHECK(v2(resources) == Texts{"hugetlb.2MB.max=4194304", "hugetlb.2MB.rsvd.max=4194304?",
                               "rdma.max=mlx5_0 hca_handle=3 hca_object=2000", "rdma.max=mlx5_1 hca_object=5"});
  resources.rdma.clear();
  resources.network_class_id = 1048577;
  resources.network_priorities = {{"eth0", 5}, {"lo", 1}};
  CHECK(v1(resources) == Texts{"hugetlb.2MB.limit_in_bytes=4194304", "hugetlb.2MB.rsvd.limit_in_bytes=4194304?",
                               "net_cls.classid=1048577", "net_prio.ifpriomap=eth0 5", "net_prio.ifpriomap=lo 1"});
}

TEST_CASE("unified files are written as they are, a line at a time and last") {
  Resources resources;
  resources.memory.limit = 4096;
  resources.unified = {{"memory.max", "8192"}, {"io.max", "8:0 rbps=1\n8:16 rbps=2\n"}, {"cgroup.max.depth", "3"}};
  CHECK(v2(resources) ==
        Texts{"memory.max=4096", "memory.max=8192", "io.max=8:0 rbps=1", "io.max=8:16 rbps=2", "cgroup.max.depth=3"});
}

TEST_CASE("unified names that are no limit of this cgroup are refused") {
  for (const char* file : {"../memory.max", "..", ".", "", "memory", ".max", "a/memory.max", "/memory.max",
                           "cgroup.procs", "cgroup.threads", "cgroup.kill", "cgroup.freeze"}) {
    CAPTURE(file);
    Resources resources;
    resources.unified = {{file, "1"}};
    CHECK(error_of(resources, kV2).starts_with(std::string("/linux/resources/unified/") + file + ": not the name"));
  }
  Resources empty;
  empty.unified = {{"memory.high", ""}};
  CHECK(error_of(empty, kV2) == "/linux/resources/unified/memory.high: the value is empty");
}

TEST_CASE("beside v1, a limit goes where its controller is") {
  Resources resources;
  resources.memory.limit = 4096;
  resources.memory.swappiness = 10;
  resources.hugepages = {{"2MB", 0}};
  resources.unified = {{"hugetlb.1GB.max", "0"}};
  const Limits limits = translate(resources, kHybrid, nullptr).value();
  CHECK(texts(limits.legacy) == Texts{"memory.limit_in_bytes=4096", "memory.swappiness=10"});
  CHECK(texts(limits.unified) == Texts{"hugetlb.2MB.max=0", "hugetlb.2MB.rsvd.max=0?", "hugetlb.1GB.max=0"});
  CHECK(needs_unified(resources, kHybrid.legacy).value());
  resources.hugepages.clear();
  resources.unified.clear();
  CHECK_FALSE(needs_unified(resources, kHybrid.legacy).value());
}

TEST_CASE("a limit without a controller is named, with the cure that the kernel's list suggests") {
  constexpr const char* kProcCgroups =
      "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"
      "cpu\t3\t1\t1\nmemory\t0\t1\t0\npids\t8\t1\t1\nnet_cls\t0\t1\t1\nblkio\t0\t1\t1\n";
  const auto message = [&](const Resources& resources, const Controllers& controllers) {
    std::vector<MissingController> missing;
    REQUIRE(translate(resources, controllers, &missing));
    REQUIRE(missing.size() == 1);
    return explain_missing(missing[0], controllers, kProcCgroups).message();
  };
  const Controllers v2_without{.legacy = {}, .has_unified = true, .unified = {"hugetlb"}};
  Resources pids;
  pids.pids_limit = 5;
  CHECK(message(pids, v2_without) ==
        "/linux/resources/pids/limit cannot be enforced: controller pids is missing, cgroup2 at its root has hugetlb "
        "(the "
        "v1 hierarchy 8 holds it: unmount that, or take the limit out)");
  CHECK(message(with_memory({.limit = 4096}), v2_without).find("boot with cgroup_enable=memory") != std::string::npos);
  Resources weight;
  weight.block_io.weight = 100;
  CHECK(message(weight, v2_without).find("controller io is missing") != std::string::npos);
  CHECK(message(weight, v2_without).find("cgroup.subtree_control of the parents") != std::string::npos);
  Resources class_id;
  class_id.network_class_id = 1;
  CHECK(message(class_id, v2_without).find("mount -t cgroup -o net_cls cgroup /sys/fs/cgroup/net_cls") !=
        std::string::npos);
  Resources rdma;
  rdma.rdma = {{"mlx5_0", 1, {}}};
  CHECK(message(rdma, kHybrid).find("built without rdma") != std::string::npos);
  Resources unified;
  unified.unified = {{"memory.high", "1"}};
  const Controllers v1_only{.legacy = {"memory"}, .has_unified = false, .unified = {}};
  CHECK(message(unified, v1_only)
            .starts_with("/linux/resources/unified/memory.high cannot be enforced: controller memory "
                         "is missing, there is no cgroup2"));
  unified.unified = {{"cpu.max.burst", "1"}};
  CHECK(message(unified, kHybrid) ==
        "/linux/resources/unified/cpu.max.burst cannot be enforced: controller cpu is missing, cgroup2 at its root has "
        "hugetlb (the v1 hierarchy 3 holds cpu: use the limits that are not below unified)");
}

TEST_CASE("lifting a limit needs no controller") {
  std::vector<MissingController> missing;
  Resources resources;
  resources.pids_limit = -1;
  resources.memory.limit = -1;
  resources.cpu.quota = -1;
  resources.cpu.quota = -1;
  REQUIRE(translate(resources, Controllers{.legacy = {}, .has_unified = true, .unified = {}}, &missing));
  CHECK(missing.empty());
  resources.pids_limit = 0;
  REQUIRE(translate(resources, Controllers{.legacy = {}, .has_unified = true, .unified = {}}, &missing));
  CHECK(missing.size() == 1);
}
