#include <catch2/catch.hpp>

#include "plan/lowered.hpp"

namespace berth::plan {
namespace {

const std::string kNamespaces = R"({"type": "mount"}, {"type": "user"})";
const std::string kContainerMaps =
    R"("uidMappings": [{"containerID": 0, "hostID": 0, "size": 1}, {"containerID": 1, "hostID": 2, "size": 1000}],
       "gidMappings": [{"containerID": 0, "hostID": 500, "size": 100}])";
const std::string kOwnMaps = R"(, "uidMappings": [{"containerID": 0, "hostID": 7, "size": 1}],
                                 "gidMappings": [{"containerID": 0, "hostID": 8, "size": 1}])";

std::string one_mount(const std::string& options, const std::string& more = "", const std::string& type = "bind") {
  return R"("mounts": [{"destination": "/m", "source": "s", "type": ")" + type + R"(", "options": [)" + options + "]" +
         more + "}]";
}

Mount in_user_namespace(const std::string& options, const std::string& more = "") {
  return plan_of({.top = one_mount(options, more), .linux_block = kContainerMaps, .namespaces = kNamespaces})
      .rootfs.mounts.at(0);
}

using Maps = std::vector<IdMapping>;

TEST_CASE("An id-mapped mount has the mapping of the container") {
  const Mount mount = in_user_namespace("\"idmap\"");
  CHECK(mount.idmapped);
  CHECK_FALSE(mount.idmap_recursive);
  CHECK(mount.uid_mappings == Maps{{0, 0, 1}, {1, 2, 1000}});
  CHECK(mount.gid_mappings == Maps{{0, 500, 100}});
  CHECK(in_user_namespace("\"rbind\", \"ridmap\"").idmap_recursive);
  CHECK(in_user_namespace("\"idmap=\"").uid_mappings.size() == 2);
  CHECK_FALSE(in_user_namespace("").idmapped);
}

TEST_CASE("An id-mapped mount has the mapping of a joined namespace, which nobody knows yet") {
  const Mount mount = plan_of({.top = one_mount("\"idmap\""),
                               .namespaces = R"({"type": "mount"}, {"type": "user", "path": "/proc/1/ns/user"})"})
                          .rootfs.mounts.at(0);
  CHECK(mount.idmapped);
  CHECK(mount.uid_mappings.empty());
}

TEST_CASE("An id-mapped mount has the mappings of its own") {
  for (const std::string options : {"", "\"idmap\"", "\"ridmap\""}) {
    INFO(options);
    const Mount mount = plan_of({.top = one_mount(options, kOwnMaps)}).rootfs.mounts.at(0);
    CHECK(mount.idmapped);
    CHECK(mount.idmap_recursive == (options == "\"ridmap\""));
    CHECK(mount.uid_mappings == Maps{{0, 7, 1}});
    CHECK(mount.gid_mappings == Maps{{0, 8, 1}});
  }
  CHECK(in_user_namespace("\"idmap\"", kOwnMaps).uid_mappings == Maps{{0, 7, 1}});
}

TEST_CASE("crun's form of mappings in the option") {
  const Mount mount = plan_of({.top = one_mount(R"("idmap=uids=0-1-10#10-11-10;gids=0-100-10")")}).rootfs.mounts.at(0);
  CHECK(mount.uid_mappings == Maps{{0, 1, 10}, {10, 11, 10}});
  CHECK(mount.gid_mappings == Maps{{0, 100, 10}});
  // The example of crun's manual page: 4 is 3 and the 1 that the container's own range adds.
  const Mount relative = in_user_namespace(R"("ridmap=uids=@1-3-10;gids=@0-5-1#50-9-1")");
  CHECK(relative.uid_mappings == Maps{{1, 4, 10}});
  CHECK(relative.gid_mappings == Maps{{0, 505, 1}, {50, 9, 1}});
  CHECK(relative.idmap_recursive);
}

TEST_CASE("Mappings that cannot be are refused by their pointer") {
  const auto error = [](const std::string& options, const std::string& more = "", const std::string& type = "bind") {
    return error_of({.top = one_mount(options, more, type)});
  };
  const auto starts = [](const char* text) { return Catch::StartsWith(text); };
  CHECK_THAT(error("\"idmap\""), starts("/mounts/0/options: got an id-mapped mount, expected uidMappings"));
  CHECK_THAT(error("\"ridmap\""), starts("/mounts/0/options: got an id-mapped mount, expected uidMappings"));
  CHECK_THAT(error("\"idmap=\""), starts("/mounts/0/options: got an id-mapped mount, expected uidMappings"));
  for (const std::string bad :
       {"idmap=x=0-1-1", "idmap=uids=0-1-1", "idmap=gids=0-1-1", "idmap=uids=0-1;gids=0-1-1",
        "idmap=uids=0-1-x;gids=0-1-1", "idmap=uids=0-1-0;gids=0-1-1", "idmap=uids=@0-1-1;gids=0-1-1",
        "idmap=uids=0-1-1-1;gids=0-1-1", "idmap=uids=0-1-2#1-9-1;gids=0-1-1", "idmap=uids=0-4294967295-1;gids=0-1-1"}) {
    INFO(bad);
    CHECK_THAT(error('"' + bad + '"'), starts("/mounts/0/options/0"));
  }
  CHECK_THAT(error("\"idmap=uids=0-1-1;gids=0-1-1\"", kOwnMaps), starts("/mounts/0/options: got idmap with mappings"));
  CHECK_THAT(error("", R"(, "gidMappings": [{"containerID": 0, "hostID": 0, "size": 1}])"),
             starts("/mounts/0/uidMappings: got nothing"));
  CHECK_THAT(error("", R"(, "uidMappings": [{"containerID": 0, "hostID": 0, "size": 0}],
                            "gidMappings": [{"containerID": 0, "hostID": 0, "size": 1}])"),
             starts("/mounts/0/uidMappings/0/size: got 0"));
  CHECK_THAT(error("\"idmap\"", kOwnMaps, "cgroup"),
             starts("/mounts/0/options: got an id-mapped mount, expected a new"));
  CHECK_THAT(error("\"remount\", \"idmap\"", kOwnMaps),
             starts("/mounts/0/options: got an id-mapped mount, expected a new"));
}

}  // namespace
}  // namespace berth::plan
