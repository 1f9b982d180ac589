#include "rootfs/mountinfo.hpp"

#include <catch2/catch.hpp>

using berth::rootfs::parse_mountinfo;

TEST_CASE("A line of mountinfo has ids, a root, a place and a type") {
  const auto mounts = parse_mountinfo(
      "36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue\n"
      "40 36 0:5 /null /x rw - tmpfs tmpfs rw\n"
      "41 36 0:5 / /y ro,nosuid shared:7 master:1 - tmpfs shared:1 rw\n"
      "42 36 0:5 / /shared:1 rw,root master:1 - tmpfs shared:1 ro\n");
  REQUIRE(mounts.size() == 4);
  CHECK(mounts[0].id == 36);
  CHECK(mounts[0].parent == 35);
  CHECK(mounts[0].root == "/mnt1");
  CHECK(mounts[0].mount_point == "/mnt 2");
  CHECK(mounts[0].type == "ext3");
  CHECK(mounts[1].parent == 36);
  CHECK(mounts[1].type == "tmpfs");
  CHECK((mounts[0].shared && !mounts[1].shared && mounts[2].shared && !mounts[3].shared));
  CHECK((!mounts[0].readonly && !mounts[1].readonly && mounts[2].readonly && !mounts[3].readonly));
}

TEST_CASE("What is no line of mountinfo is left out") {
  CHECK(parse_mountinfo("").empty());
  CHECK(parse_mountinfo("\n\nx 1 0:1 / / rw - a b c\n1 x 0:1 / / rw - a b c\n1 2 0:1 / / rw a b c\n").empty());
}
