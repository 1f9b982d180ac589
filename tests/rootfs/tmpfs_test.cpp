#include <sys/stat.h>

#include "rootfs/filesystem_mount.hpp"
#include "rootfs/in_namespaces.hpp"

using namespace berth::test;
using berth::plan::Rootfs;
using berth::rootfs::readonly_is_deferred;

namespace {

mode_t mode(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777U : 0;
}

}  // namespace

TEST_CASE("read-only waits where other mounts need a place") {
  CHECK(readonly_is_deferred(filesystem("tmpfs", "/run", MOUNT_ATTR_RDONLY)));
  CHECK(readonly_is_deferred(filesystem("devtmpfs", "/dev/", MOUNT_ATTR_RDONLY)));
  CHECK_FALSE(readonly_is_deferred(filesystem("tmpfs", "/run")));
  CHECK_FALSE(readonly_is_deferred(filesystem("sysfs", "/sys", MOUNT_ATTR_RDONLY)));
}

TEST_CASE("a tmpfs looks like the directory below it unless its mode is said") {
  TemporaryTree tree;
  tree.directory("root/private").directory("root/said");
  REQUIRE(::chmod(tree.at("root/private").c_str(), 0700) == 0);
  Rootfs plan = plan_for(tree);
  plan.mounts = {filesystem("tmpfs", "/private"), filesystem("tmpfs", "/said"), filesystem("tmpfs", "/new")};
  plan.mounts[1].fs_options = {{"mode", "0711"}, {"size", "64k"}};
  CHECK(in_namespaces([&] {
          EXPECT_TEXT(build_text(plan), "");
          EXPECT(mode("/private") == 0700);
          EXPECT(mode("/said") == 0711);
          EXPECT(mode("/new") == 01777);
          return std::string();
        }) == "");
}

TEST_CASE("a read-only tmpfs takes the mounts that are in it first") {
  TemporaryTree tree;
  tree.directory("root").file("file", "f");
  Rootfs plan = plan_for(tree);
  plan.mounts = {filesystem("tmpfs", "/run", MOUNT_ATTR_RDONLY), bind_mount(tree.at("file"), "/run/secrets/file")};
  plan.mounts[0].fs_options = {{"ro", {}}};
  CHECK(in_namespaces([&] {
          EXPECT_TEXT(build_text(plan), "");
          EXPECT_TEXT(content("/run/secrets/file"), "f");
          EXPECT(error_of_writing("/run/new") == EROFS);
          return std::string();
        }) == "");
}

TEST_CASE("a tmpfs can start with what is below it") {
  TemporaryTree tree;
  tree.file("root/etc/passwd", "root").file("root/etc/deep/er/file", "x").link("root/etc/link", "../../canary/secret");
  tree.file("canary/secret", "s");
  REQUIRE(::chmod(tree.at("root/etc/deep").c_str(), 0710) == 0);
  REQUIRE(::chmod(tree.at("root/etc/passwd").c_str(), 0604) == 0);
  Rootfs plan = plan_for(tree);
  plan.mounts = {filesystem("tmpfs", "/etc")};
  plan.mounts[0].copy_up = true;
  CHECK(in_namespaces([&] {
          EXPECT_TEXT(build_text(plan), "");
          EXPECT_TEXT(content("/etc/passwd"), "root");
          EXPECT(mode("/etc/passwd") == 0604);
          EXPECT_TEXT(content("/etc/deep/er/file"), "x");
          EXPECT(mode("/etc/deep") == 0710);
          EXPECT_TEXT(std::filesystem::read_symlink("/etc/link").string(), "../../canary/secret");
          EXPECT(error_of_writing("/etc/new") == 0);
          return std::string();
        }) == "");
  CHECK_FALSE(tree.exists("root/etc/new"));
}

TEST_CASE("the kernel's explanation of a bad option is in the error") {
  TemporaryTree tree;
  tree.directory("root");
  Rootfs plan = plan_for(tree);
  plan.mounts = {filesystem("tmpfs", "/run")};
  plan.mounts[0].fs_options = {{"sice", "1k"}};
  CHECK(in_namespaces([&] {
          EXPECT_TEXT(
              build_text(plan),
              "/mounts/0: mount tmpfs on /run: fsconfig(sice=1k) [tmpfs: Unknown parameter 'sice']: Invalid argument");
          return std::string();
        }) == "");
}

TEST_CASE("a type that the kernel does not know is an error") {
  TemporaryTree tree;
  tree.directory("root");
  Rootfs plan = plan_for(tree);
  plan.mounts = {filesystem("nosuchfs", "/x")};
  CHECK(in_namespaces([&] {
          EXPECT_TEXT(build_text(plan),
                      "/mounts/0: mount nosuchfs on /x: fsopen(nosuchfs): No such device "
                      "(this kernel does not know that file system type)");
          return std::string();
        }) == "");
}
