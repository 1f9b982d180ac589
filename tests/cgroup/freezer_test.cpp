#include "cgroup/freezer.hpp"

#include <catch2/catch.hpp>

#include "temporary_tree.hpp"

namespace berth::cgroup {
namespace {

bool frozen(const test::TemporaryTree& tree, const std::string& hierarchy) {
  Placement placement;
  placement.directories = {{hierarchy, tree.at("box").string()}};
  return processes_frozen(placement).value();
}

TEST_CASE("cgroup2 is frozen when its processes are, and as soon as somebody asks for it") {
  test::TemporaryTree tree;
  const auto with = [&tree](const std::string& events, const std::string& freeze) {
    tree.file("box/cgroup.events", "populated 1\nfrozen " + events + "\n").file("box/cgroup.freeze", freeze + "\n");
    return frozen(tree, "");
  };
  CHECK_FALSE(with("0", "0"));
  CHECK(with("1", "1"));
  CHECK(with("1", "0"));  // by a cgroup above
  CHECK(with("0", "1"));  // some still run: who asked may have been killed
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
