#include <berth/ns/spawn_plan.hpp>

#include <sched.h>

#include <catch2/catch.hpp>
#include <vector>

using berth::ns::plan_spawn;
using berth::ns::SpawnPlan;
using berth::plan::Namespaces;

namespace {

constexpr std::uint64_t kTime = 0x80;

std::uint64_t bits(int flags) {
  return static_cast<unsigned>(flags);
}

Namespaces make(std::uint64_t created, const std::vector<int>& joined) {
  Namespaces namespaces;
  namespaces.created = created;
  for (const int flag : joined) {
    namespaces.joined.push_back({flag, "/proc/1/ns/x"});
  }
  return namespaces;
}

using Indices = std::vector<std::size_t>;

}  // namespace

TEST_CASE("new namespaces are made by one clone") {
  const SpawnPlan spawn = plan_spawn(make(bits(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET), {}));
  CHECK_FALSE(spawn.staged);
  CHECK(spawn.clone_flags == bits(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET));
  CHECK(spawn.join_before_clone.empty());
  CHECK(spawn.join_in_child.empty());
}

TEST_CASE("a new user namespace is made with the others, which it then owns") {
  const SpawnPlan spawn = plan_spawn(make(bits(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID), {}));
  CHECK_FALSE(spawn.staged);
  CHECK((spawn.clone_flags & bits(CLONE_NEWUSER)) != 0);
}

TEST_CASE("a cgroup namespace is never made by the clone, its root would be the caller's cgroup") {
  const SpawnPlan spawn = plan_spawn(make(bits(CLONE_NEWNS | CLONE_NEWCGROUP), {}));
  CHECK(spawn.clone_flags == bits(CLONE_NEWNS));
  CHECK(spawn.unshare_cgroup);
}

TEST_CASE("the supervisor enters a joined pid namespace, the child joins the rest itself") {
  const SpawnPlan spawn = plan_spawn(make(bits(CLONE_NEWNS), {CLONE_NEWNET, CLONE_NEWPID, CLONE_NEWIPC}));
  CHECK_FALSE(spawn.staged);
  CHECK(spawn.join_before_clone == Indices{1});
  CHECK(spawn.join_in_child == Indices{0, 2});
}

TEST_CASE("time offsets are written by who clones") {
  const SpawnPlan spawn = plan_spawn(make(bits(CLONE_NEWNS) | kTime, {}));
  CHECK_FALSE(spawn.staged);
  CHECK(spawn.unshare_time);
  CHECK((spawn.clone_flags & kTime) == 0);
}

TEST_CASE("joining a user namespace takes a stage, which joins everything first") {
  const SpawnPlan spawn = plan_spawn(make(bits(CLONE_NEWNS | CLONE_NEWPID), {CLONE_NEWUSER, CLONE_NEWNET}));
  CHECK(spawn.staged);
  CHECK(spawn.stage_flags == 0);
  CHECK(spawn.clone_flags == bits(CLONE_NEWNS | CLONE_NEWPID));
  CHECK(spawn.join_before_clone == Indices{0, 1});
  CHECK(spawn.join_in_child.empty());
  CHECK_FALSE(spawn.map_stage);
}

TEST_CASE("a new user namespace beside joined ones comes after the joins") {
  const SpawnPlan spawn = plan_spawn(make(bits(CLONE_NEWUSER | CLONE_NEWNS), {CLONE_NEWNET}));
  CHECK(spawn.staged);
  CHECK(spawn.stage_flags == 0);
  CHECK(spawn.clone_flags == bits(CLONE_NEWUSER | CLONE_NEWNS));
  CHECK_FALSE(spawn.map_stage);
}

TEST_CASE("a time namespace of a new user namespace is made inside it, by a stage that is born there") {
  const SpawnPlan spawn = plan_spawn(make(bits(CLONE_NEWUSER | CLONE_NEWNS) | kTime, {}));
  CHECK(spawn.staged);
  CHECK(spawn.stage_flags == bits(CLONE_NEWUSER));
  CHECK(spawn.clone_flags == bits(CLONE_NEWNS));
  CHECK(spawn.map_stage);
  CHECK(spawn.unshare_time);
}

TEST_CASE("an ipc namespace beside a user namespace is made by its root, who then owns the message queues") {
  CHECK_FALSE(plan_spawn(make(bits(CLONE_NEWNS | CLONE_NEWIPC), {})).unshare_ipc);
  for (const Namespaces& namespaces : {make(bits(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC), {}),
                                       make(bits(CLONE_NEWNS | CLONE_NEWIPC), {CLONE_NEWUSER})}) {
    const SpawnPlan spawn = plan_spawn(namespaces);
    CHECK(spawn.unshare_ipc);
    CHECK((spawn.clone_flags & bits(CLONE_NEWIPC)) == 0);
  }
}
