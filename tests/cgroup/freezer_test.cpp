#include "cgroup/freezer.hpp"

#include <catch2/catch.hpp>

#include "temporary_tree.hpp"

namespace berth::cgroup {
namespace {

struct Frozen {
  bool now;
  bool being;
  friend bool operator==(const Frozen&, const Frozen&) = default;
};

Frozen look(const test::TemporaryTree& tree, const std::string& hierarchy) {
  Placement placement;
  placement.directories = {{hierarchy, tree.at("box").string()}};
  return {processes_frozen(placement).value(), processes_being_frozen(placement).value()};
}

TEST_CASE("cgroup2 tells whether processes are frozen, and whether somebody asked for it") {
  test::TemporaryTree tree;
  const auto with = [&tree](const std::string& events, const std::string& freeze) {
    tree.file("box/cgroup.events", "populated 1\nfrozen " + events + "\n").file("box/cgroup.freeze", freeze + "\n");
    return look(tree, "");
  };
  CHECK(with("0", "0") == Frozen{false, false});
  CHECK(with("1", "1") == Frozen{true, true});
  CHECK(with("1", "0") == Frozen{true, true});   // by a cgroup above
  CHECK(with("0", "1") == Frozen{false, true});  // some still run
}

TEST_CASE("A process of cgroup v1 that is about to freeze counts as frozen") {
  test::TemporaryTree tree;
  const auto with = [&tree](const std::string& state) {
    tree.file("box/freezer.state", state + "\n");
    return look(tree, "freezer");
  };
  CHECK(with("THAWED") == Frozen{false, false});
  CHECK(with("FREEZING") == Frozen{true, true});
  CHECK(with("FROZEN") == Frozen{true, true});
}

TEST_CASE("A cgroup that is gone freezes nobody") {
  const test::TemporaryTree tree;
  CHECK(look(tree, "") == Frozen{false, false});
  CHECK(look(tree, "freezer") == Frozen{false, false});
}

}  // namespace
}  // namespace berth::cgroup
