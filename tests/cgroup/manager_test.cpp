#include <berth/cgroup/cgroup.hpp>

#include <catch2/catch.hpp>

using namespace berth;
using cgroup::Manager;

TEST_CASE("a cgroup manager has one name on the command line and in the state") {
  for (const auto& [manager, name] :
       {std::pair{Manager::kCgroupfs, "cgroupfs"}, std::pair{Manager::kSystemd, "systemd"},
        std::pair{Manager::kDisabled, "disabled"}}) {
    CHECK(cgroup::manager_name(manager) == name);
    CHECK(cgroup::parse_manager(name).value() == manager);
  }
  const Result<Manager> unknown = cgroup::parse_manager("cgroupfs2");
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().kind() == ErrorKind::kUsage);
  CHECK(unknown.error().message() == "cgroup manager \"cgroupfs2\": cgroupfs, systemd or disabled was expected");
}
