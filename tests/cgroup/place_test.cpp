#include "cgroup/place.hpp"

#include <catch2/catch.hpp>

#include "cgroup/layout.hpp"

using namespace berth;
using namespace berth::cgroup;

namespace {

constexpr const char* kHybrid =
    "12:pids:/\n"
    "4:cpu,cpuacct:/system.slice\n"
    "3:memory:/one:two/three\n"
    "1:name=systemd:/user.slice\n"
    "0::/init.scope\n";

}  // namespace

TEST_CASE("the text of /proc/self/cgroup gives the hierarchies and where they are mounted") {
  CHECK(expected_layout(kHybrid, false) == Layout{
                                               {"", "/sys/fs/cgroup/unified", "/init.scope"},
                                               {"pids", "/sys/fs/cgroup/pids", "/"},
                                               {"cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct", "/system.slice"},
                                               {"memory", "/sys/fs/cgroup/memory", "/one:two/three"},
                                               {"systemd", "/sys/fs/cgroup/systemd", "/user.slice"},
                                           });
  CHECK(expected_layout(kHybrid, true) == Layout{{"", "/sys/fs/cgroup", "/init.scope"}});
  CHECK(expected_layout("nonsense\n\n7\n", false).empty());
}

TEST_CASE("mountinfo tells where an unusual host mounts a hierarchy") {
  constexpr const char* kMountinfo =
      "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
      "32 31 0:29 / /cg/cpu\\040time rw,relatime shared:5 master:2 - cgroup cgroup rw,cpu,cpuacct\n"
      "33 31 0:30 / /cg/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
      "34 31 0:31 / /cg/two rw - cgroup2 none rw,nsdelegate\n"
      "35 31\n";
  CHECK(mounted_at(kMountinfo, "cpu,cpuacct") == "/cg/cpu time");
  CHECK(mounted_at(kMountinfo, "systemd") == "/cg/systemd");
  CHECK(mounted_at(kMountinfo, "") == "/cg/two");
  CHECK(mounted_at(kMountinfo, "memory").empty());
  CHECK(mounted_at(kMountinfo, "cpuset").empty());
}

TEST_CASE("a hierarchy has either kernel controllers or a name") {
  CHECK_FALSE(is_named_hierarchy("memory"));
  CHECK_FALSE(is_named_hierarchy("net_cls,net_prio"));
  CHECK(is_named_hierarchy("systemd"));
  CHECK(is_named_hierarchy("elogind"));
}

TEST_CASE("cgroupsPath becomes an absolute path without detours") {
  const std::pair<const char*, const char*> table[] = {
      {"", "/berth/web"},  {"/docker/web", "/docker/web"}, {"pods/web", "/pods/web"}, {"//a///b/", "/a/b"},
      {"./a/./b", "/a/b"}, {"/a:b:c", "/a:b:c"},           {"/..a/b..", "/..a/b.."},
  };
  for (const auto& [given, expected] : table) {
    CAPTURE(given);
    CHECK(clean_cgroups_path(given, "web").value() == expected);
  }
}

TEST_CASE("a cgroupsPath that leaves its place or has none is refused by its name") {
  for (const char* path : {"/", ".", "//", "..", "../x", "/a/../b", "/a/..", "/a\nb", "/a\tb"}) {
    CAPTURE(path);
    const Result<std::string> result = clean_cgroups_path(path, "web");
    REQUIRE_FALSE(result);
    CHECK(result.error().kind() == ErrorKind::kConfig);
    CHECK(result.error().message().starts_with("/linux/cgroupsPath is "));
  }
}

TEST_CASE("a placement has one directory in each hierarchy") {
  const Placement placement = place_in(expected_layout(kHybrid, false), "/berth/web");
  CHECK(placement.manager == Manager::kCgroupfs);
  CHECK(placement.path == "/berth/web");
  REQUIRE(placement.directories.size() == 5);
  CHECK(placement.directories[0] == Directory{"", "/sys/fs/cgroup/unified/berth/web"});
  CHECK(placement.directories[2] == Directory{"cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct/berth/web"});

  CHECK(find_directory(placement, "") == &placement.directories[0]);
  CHECK(find_directory(placement, "cpu") == &placement.directories[2]);
  CHECK(find_directory(placement, "cpuacct") == &placement.directories[2]);
  CHECK(find_directory(placement, "memory") == &placement.directories[3]);
  CHECK(find_directory(placement, "freezer") == nullptr);
  CHECK(hierarchy_root(placement, placement.directories[2]) == "/sys/fs/cgroup/cpu,cpuacct");
}

TEST_CASE("no manager, no cgroup") {
  CHECK(place(Manager::kDisabled, "/x", "web").value() == Placement{});
}

TEST_CASE("the view names the hierarchies as a container's mounts need them") {
  const View hybrid = view(place_in(expected_layout(kHybrid, false), "/berth/web")).value();
  CHECK_FALSE(hybrid.unified);
  REQUIRE(hybrid.hierarchies.size() == 5);
  CHECK(hybrid.hierarchies[0].name == "unified");
  CHECK(hybrid.hierarchies[0].mount_data.empty());
  CHECK(hybrid.hierarchies[2].name == "cpu,cpuacct");
  CHECK(hybrid.hierarchies[2].mount_data == "cpu,cpuacct");
  CHECK(hybrid.hierarchies[2].host_path == "/sys/fs/cgroup/cpu,cpuacct/berth/web");
  CHECK(hybrid.hierarchies[4].name == "systemd");
  CHECK(hybrid.hierarchies[4].mount_data == "name=systemd");

  const View unified = view(place_in(expected_layout(kHybrid, true), "/berth/web")).value();
  CHECK(unified.unified);
  REQUIRE(unified.hierarchies.size() == 1);
  CHECK(unified.hierarchies[0].host_path == "/sys/fs/cgroup/berth/web");
}

TEST_CASE("a disabled cgroup does nothing, and says so when asked to freeze") {
  Cgroup cgroup = Cgroup::create(Placement{}).value();
  plan::Resources resources;
  resources.memory.limit = 1;
  CHECK(Cgroup::check(Placement{}, resources));
  CHECK(cgroup.apply(resources));
  CHECK(cgroup.clone_fd() == -1);
  CHECK(cgroup.add(1, false));
  CHECK(cgroup.processes().value().empty());
  CHECK_FALSE(cgroup.frozen().value());
  CHECK(cgroup.kill(9));
  CHECK(cgroup.thaw());
  const Status frozen = cgroup.freeze();
  REQUIRE_FALSE(frozen);
  CHECK(frozen.error().kind() == ErrorKind::kState);
  CHECK(frozen.error().message().starts_with("there is no cgroup to freeze"));
  CHECK(cgroup.remove(std::chrono::milliseconds(0)));
}
