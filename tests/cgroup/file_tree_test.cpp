// Limits of cgroup v1 that no host of the tests has: cgroup2 holds hugetlb and rdma wherever the kernel has it, and
// leaf weights were of the CFQ scheduler, which Linux 5.0 dropped. A tree of plain files stands in for the kernel's.
#include <berth/cgroup/cgroup.hpp>

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>

#include "temporary_tree.hpp"

using namespace berth;
using namespace berth::cgroup;

namespace {

// Those of a kernel before 5.0.
constexpr const char* kFiles[] = {"hugetlb/web/hugetlb.2MB.limit_in_bytes",
                                  "hugetlb/web/hugetlb.2MB.rsvd.limit_in_bytes",
                                  "rdma/web/rdma.max",
                                  "blkio/web/blkio.weight",
                                  "blkio/web/blkio.leaf_weight",
                                  "blkio/web/blkio.weight_device",
                                  "blkio/web/blkio.leaf_weight_device"};

Placement placement_in(const test::TemporaryTree& tree) {
  Placement placement{.manager = Manager::kCgroupfs, .path = "/web", .directories = {}};
  for (const char* hierarchy : {"hugetlb", "rdma", "blkio"}) {
    placement.directories.push_back({hierarchy, tree.at(hierarchy).string() + "/web"});
  }
  return placement;
}

// Values of one length each: a plain file keeps what is beyond a shorter one.
plan::Resources limits(bool first) {
  plan::Resources resources;
  resources.hugepages = {{"2MB", first ? 4194304U : 8388608U}};
  resources.rdma = {{"mlx5_0", first ? 3U : 4U, 10U}};
  resources.block_io.weight = first ? 300 : 400;
  resources.block_io.leaf_weight = first ? 301 : 401;
  plan::BlockDeviceWeight device;
  device.major = 8;
  device.minor = 0;
  device.weight = first ? 302 : 402;
  device.leaf_weight = first ? 303 : 403;
  resources.block_io.weight_devices = {device};
  return resources;
}

std::vector<std::string> contents(const test::TemporaryTree& tree) {
  std::vector<std::string> texts;
  for (const char* file : kFiles) {
    std::ifstream stream(tree.at(file));
    texts.emplace_back(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
  }
  return texts;
}

}  // namespace

TEST_CASE("limits that only older kernels have in v1 are set, changed, and put back") {
  test::TemporaryTree tree;
  for (const char* file : kFiles) {
    tree.file(file);
  }
  const std::vector<std::string> set{"4194304", "4194304", "mlx5_0 hca_handle=3 hca_object=10", "300", "301",
                                     "8:0 302", "8:0 303"};
  Cgroup cgroup = Cgroup::open(placement_in(tree));
  REQUIRE(cgroup.update(limits(true)));
  CHECK(contents(tree) == set);
  REQUIRE(cgroup.update(limits(false)));
  CHECK(contents(tree) == std::vector<std::string>{"8388608", "8388608", "mlx5_0 hca_handle=4 hca_object=10", "400",
                                                   "401", "8:0 402", "8:0 403"});

  tree.link("blkio/web/blkio.throttle.read_bps_device", "/proc/sys/kernel/ostype");  // which nobody may write
  plan::Resources refused = limits(true);
  refused.block_io.read_bps = {{8, 0, 5}};
  const std::vector<std::string> before = contents(tree);
  const Status updated = cgroup.update(refused);
  REQUIRE_FALSE(updated);
  CHECK_THAT(updated.error().message(), Catch::StartsWith("limit /linux/resources/blockIO/throttleReadBpsDevice"));
  CHECK(contents(tree) == before);
}
