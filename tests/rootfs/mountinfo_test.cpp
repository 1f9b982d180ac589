#include "rootfs/mountinfo.hpp"

#include <catch2/catch.hpp>

using berth::rootfs::parse_mountinfo;

TEST_CASE("A line of mountinfo has ids, a root, a place and a type") {
  const auto mounts = parse_mountinfo(
      "36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue\n"
      "40 36 0:5 /null /x rw - tmpfs tmpfs rw\n");
  REQUIRE(mounts.size() == 2);
  CHECK(mounts[0].id == 36);
  CHECK(mounts[0].parent == 35);
  CHECK(mounts[0].root == "/mnt1");
  CHECK(mounts[0].mount_point == "/mnt 2");
  CHECK(mounts[0].type == "ext3");
  CHECK(mounts[1].parent == 36);
  CHECK(mounts[1].type == "tmpfs");
}

TEST_CASE("What is no line of mountinfo is left out") {
  CHECK(parse_mountinfo("").empty());
  CHECK(parse_mountinfo("\n\nx 1 0:1 / / rw - a b c\n1 x 0:1 / / rw - a b c\n1 2 0:1 / / rw a b c\n").empty());
}
