#include "rootfs/mount_attributes.hpp"

#include <catch2/catch.hpp>

using berth::plan::Mount;
using berth::rootfs::attribute_calls;
using berth::rootfs::attribute_names;

TEST_CASE("a bind mount without options is left as its source is") {
  CHECK(attribute_calls(Mount{}).empty());
}

TEST_CASE("attributes and propagation of one mount are one call") {
  Mount mount;
  mount.attributes = {.set = MOUNT_ATTR_RDONLY, .clear = MOUNT_ATTR_NOSUID};
  mount.propagation = MS_PRIVATE;
  mount.propagation_recursive = true;  // without rbind there is nothing else in the copy
  const auto calls = attribute_calls(mount);
  REQUIRE(calls.size() == 1);
  CHECK(calls[0].attributes.attr_set == MOUNT_ATTR_RDONLY);
  CHECK(calls[0].attributes.attr_clr == MOUNT_ATTR_NOSUID);
  CHECK(calls[0].attributes.propagation == MS_PRIVATE);
  CHECK_FALSE(calls[0].recursive);
}

TEST_CASE("a recursive propagation reaches the tree, attributes the mount alone") {
  Mount mount;
  mount.recursive = true;
  mount.attributes.set = MOUNT_ATTR_NODEV;
  mount.propagation = MS_SLAVE;
  mount.propagation_recursive = true;
  const auto calls = attribute_calls(mount);
  REQUIRE(calls.size() == 2);
  CHECK(calls[0].recursive);
  CHECK(calls[0].attributes.propagation == MS_SLAVE);
  CHECK(calls[0].attributes.attr_set == 0);
  CHECK_FALSE(calls[1].recursive);
  CHECK(calls[1].attributes.propagation == 0);
  CHECK(calls[1].attributes.attr_set == MOUNT_ATTR_NODEV);
}

TEST_CASE("what is said of the mount alone comes after what is said of the tree") {
  Mount mount;
  mount.recursive = true;
  mount.recursive_attributes.set = MOUNT_ATTR_RDONLY;
  mount.attributes.clear = MOUNT_ATTR_RDONLY;
  const auto calls = attribute_calls(mount);
  REQUIRE(calls.size() == 2);
  CHECK(calls[0].recursive);
  CHECK(calls[0].attributes.attr_set == MOUNT_ATTR_RDONLY);
  CHECK_FALSE(calls[1].recursive);
  CHECK(calls[1].attributes.attr_clr == MOUNT_ATTR_RDONLY);
}

TEST_CASE("a new access time mode replaces the old one") {
  Mount mount;
  mount.attributes.set = MOUNT_ATTR_NOATIME;
  const auto calls = attribute_calls(mount);
  REQUIRE(calls.size() == 1);
  CHECK(calls[0].attributes.attr_clr == MOUNT_ATTR__ATIME);
}

TEST_CASE("flags have the names of mount options") {
  CHECK(attribute_names(0).empty());
  CHECK(attribute_names(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC) == "ro,noexec");
  CHECK(attribute_names(MOUNT_ATTR__ATIME) == "its access time mode");
}
