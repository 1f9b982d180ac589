#include <berth/plan/cgroup_owner.hpp>

#include <catch2/catch.hpp>

#include "plan/lowered.hpp"

using namespace berth::plan;

namespace {

std::optional<uid_t> owner(const std::string& mount, const std::string& process = R"("user": {"uid": 7, "gid": 8})",
                           const std::string& namespaces = R"({"type": "mount"}, {"type": "cgroup"})",
                           const std::string& linux_block = "") {
  return cgroup_owner(plan_of({.top = R"("mounts": [)" + mount + "]",
                               .process = process,
                               .linux_block = linux_block,
                               .namespaces = namespaces}));
}

constexpr const char* kWritable = R"({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"})";

}  // namespace

TEST_CASE("The container's user owns a cgroup that is writable in a new namespace") {
  CHECK(owner(kWritable) == 7U);
  CHECK(owner(kWritable, R"("env": [])") == 0U);
  // As the specification lists what must hold.
  CHECK_FALSE(owner("").has_value());
  CHECK_FALSE(owner(R"({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]})")
                  .has_value());
  CHECK_FALSE(owner(R"({"destination": "/cgroup", "type": "cgroup", "source": "cgroup"})").has_value());
  CHECK_FALSE(owner(R"({"destination": "/sys/fs/cgroup", "type": "bind", "source": "/cgroup", "options": ["bind"]})")
                  .has_value());
  CHECK_FALSE(owner(kWritable, "", R"({"type": "mount"})").has_value());
  CHECK_FALSE(
      owner(kWritable, "", R"({"type": "mount"}, {"type": "cgroup", "path": "/proc/1/ns/cgroup"})").has_value());
}

TEST_CASE("The owner of a cgroup is named by the host's number") {
  const std::string maps = R"("uidMappings": [{"containerID": 0, "hostID": 100000, "size": 5},
      {"containerID": 7, "hostID": 200000, "size": 1}], "gidMappings": [{"containerID": 0, "hostID": 100000, "size": 9}])";
  const std::string namespaces = R"({"type": "mount"}, {"type": "cgroup"}, {"type": "user"})";
  CHECK(owner(kWritable, R"("user": {"uid": 7, "gid": 8})", namespaces, maps) == 200000U);
  CHECK(owner(kWritable, R"("user": {"uid": 0, "gid": 0})", namespaces, maps) == 100000U);
}
