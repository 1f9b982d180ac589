#include "cgroup/freezer.hpp"

#include <catch2/catch.hpp>

#include "temporary_tree.hpp"

namespace berth::cgroup {
namespace {

bool frozen(const test::TemporaryTree& tree, const std::string& hierarchy, const std::string& path = "box") {
  Placement placement;
  placement.directories = {{hierarchy, tree.at(path).string()}};
  return processes_frozen(placement).value();
}

TEST_CASE("cgroup2 is frozen as soon as somebody asks for it, there or above") {
  test::TemporaryTree tree;
  const auto with = [&tree](const std::string& slice, const std::string& pod, const std::string& box) {
    tree.file("slice/cgroup.freeze", slice + "\n").file("slice/pod/cgroup.freeze", pod + "\n");
    tree.file("slice/pod/box/cgroup.freeze", box + "\n");
    return frozen(tree, "", "slice/pod/box");
  };
  CHECK_FALSE(with("0", "0", "0"));
  CHECK(with("0", "0", "1"));
  CHECK(with("0", "1", "0"));
  CHECK(with("1", "0", "0"));
}

TEST_CASE("What is frozen above containers is looked at once") {
  test::TemporaryTree tree;
  tree.file("cold/cgroup.freeze", "1\n").file("warm/cgroup.freeze", "0\n");
  FrozenAbove above;
  for (int turn = 0; turn < 2; ++turn) {
    CHECK(above.includes(tree.at("cold").string()).value());
    CHECK_FALSE(above.includes(tree.at("warm").string()).value());
    tree.file("cold/cgroup.freeze", "0\n").file("warm/cgroup.freeze", "1\n");
  }
}

TEST_CASE("cgroup v1 is frozen when its processes are, or are about to be") {
  test::TemporaryTree tree;
  const auto with = [&tree](const std::string& state) {
    tree.file("box/freezer.state", state + "\n");
    return frozen(tree, "freezer");
  };
  CHECK_FALSE(with("THAWED"));
  CHECK(with("FREEZING"));
  CHECK(with("FROZEN"));
}

TEST_CASE("A cgroup that is gone freezes nobody") {
  const test::TemporaryTree tree;
  CHECK_FALSE(frozen(tree, ""));
  CHECK_FALSE(frozen(tree, "freezer"));
}

}  // namespace
}  // namespace berth::cgroup
