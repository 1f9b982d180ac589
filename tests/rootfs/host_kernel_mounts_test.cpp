#include "rootfs/host_kernel_mounts.hpp"

#include <catch2/catch.hpp>

using berth::rootfs::whole_kernel_mounts;

TEST_CASE("whole procfs and sysfs mounts are found in mountinfo") {
  constexpr const char* kMountinfo =
      "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
      "23 22 0:5 / /proc rw,nosuid shared:2 master:3 - proc proc rw\n"
      "24 23 0:5 /sys /proc/sys ro - proc proc rw\n"
      "25 22 0:6 / /sys rw - sysfs sysfs rw\n"
      "26 25 0:7 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
      "27 22 0:8 / /srv/a\\040b\\134c rw - proc none rw\n"
      "28 22 0:9 / /proc-like rw - tmpfs proc rw\n";
  CHECK(whole_kernel_mounts(kMountinfo) == std::vector<std::string>{"/proc", "/sys", "/srv/a b\\c"});
}

TEST_CASE("broken lines of mountinfo are passed over") {
  CHECK(whole_kernel_mounts("").empty());
  CHECK(whole_kernel_mounts("\n\n").empty());
  CHECK(whole_kernel_mounts("23 22 0:5 / /proc rw proc proc rw\n").empty());
  CHECK(whole_kernel_mounts("23 22 0:5 / /a\\04 rw - proc proc rw") == std::vector<std::string>{"/a\\04"});
}
