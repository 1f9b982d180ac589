#include "rootfs/in_namespaces.hpp"

using namespace berth::test;
using berth::cgroup::View;
using berth::plan::MountKind;
using berth::plan::Rootfs;

namespace {

// Directories take the place of cgroups: what is mounted is a copy of a directory, whatever it is of.
struct Fixture {
  TemporaryTree tree;
  Rootfs plan;
  View view;
  berth::rootfs::Options options = user_namespace_options();

  Fixture() {
    tree.directory("root")
        .file("hierarchies/memory/own/name", "memory")
        .file("hierarchies/cpu,cpuacct/own/name", "cpu");
    plan = plan_for(tree);
    plan.mounts = {filesystem("cgroup", "/sys/fs/cgroup")};
    plan.mounts[0].kind = MountKind::kCgroup;
    options.cgroup_view = &view;
    options.cgroup_namespace = true;
  }
  View::Hierarchy hierarchy(const std::string& name) const {
    return {.name = name, .mount_data = name, .host_path = tree.at("hierarchies/" + name + "/own")};
  }
};

}  // namespace

TEST_CASE("v1: one directory a hierarchy, and links for those that share one") {
  Fixture fixture;
  fixture.view.hierarchies = {fixture.hierarchy("memory"), fixture.hierarchy("cpu,cpuacct")};
  CHECK(in_namespaces([&] {
          EXPECT_TEXT(build_text(fixture.plan, fixture.options), "");
          EXPECT_TEXT(content("/sys/fs/cgroup/memory/name"), "memory");
          EXPECT_TEXT(content("/sys/fs/cgroup/cpuacct/name"), "cpu");
          EXPECT_TEXT(std::filesystem::read_symlink("/sys/fs/cgroup/cpu").string(), "cpu,cpuacct");
          EXPECT(error_of_writing("/sys/fs/cgroup/memory/new") == 0);
          return std::string();
        }) == "");
}

TEST_CASE("v2: the container's own cgroup alone") {
  Fixture fixture;
  fixture.view.unified = true;
  fixture.view.hierarchies = {fixture.hierarchy("memory")};
  CHECK(in_namespaces([&] {
          EXPECT_TEXT(build_text(fixture.plan, fixture.options), "");
          EXPECT_TEXT(content("/sys/fs/cgroup/name"), "memory");
          EXPECT(error_of_writing("/sys/fs/cgroup/new") == 0);
          return std::string();
        }) == "");
}

TEST_CASE("cgroups are read-only where it is asked for, and in a user namespace without a cgroup namespace") {
  Fixture fixture;
  fixture.view.hierarchies = {fixture.hierarchy("memory")};
  const bool asked = GENERATE(true, false);
  fixture.view.unified = GENERATE(true, false);
  if (asked) {
    fixture.plan.mounts[0].attributes.set = MOUNT_ATTR_RDONLY;
  } else {
    fixture.options.cgroup_namespace = false;  // CVE-2023-25809
  }
  CHECK(in_namespaces([&] {
          EXPECT_TEXT(build_text(fixture.plan, fixture.options), "");
          const std::string directory = fixture.view.unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
          EXPECT_TEXT(content(directory + "/name"), "memory");
          EXPECT(error_of_writing(directory + "/new") == EROFS);
          EXPECT(error_of_writing("/sys/fs/cgroup/new") == EROFS);
          return std::string();
        }) == "");
}

TEST_CASE("without a cgroup there is nothing of the host's to see, and nothing to write") {
  Fixture fixture;
  fixture.options.cgroup_view = nullptr;
  fixture.options.cgroup_namespace = false;
  CHECK(in_namespaces([&] {
          EXPECT_TEXT(build_text(fixture.plan, fixture.options), "");
          EXPECT(std::filesystem::is_empty("/sys/fs/cgroup"));
          EXPECT(error_of_writing("/sys/fs/cgroup/new") == EROFS);
          return std::string();
        }) == "");
}

TEST_CASE("a hierarchy that is not there is named") {
  Fixture fixture;
  fixture.view.hierarchies = {fixture.hierarchy("pids")};
  CHECK(in_namespaces([&] {
          EXPECT_TEXT(build_text(fixture.plan, fixture.options),
                      "/mounts/0: open_tree(" + fixture.view.hierarchies[0].host_path + "): No such file or directory");
          return std::string();
        }) == "");
}
