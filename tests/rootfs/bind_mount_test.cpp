#include <sys/stat.h>
#include <sys/syscall.h>

#include "rootfs/in_namespaces.hpp"

using namespace berth::test;
using berth::plan::Rootfs;

namespace {

bool is_directory(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

}  // namespace

TEST_CASE("binds show files and directories of the host, in the order of the configuration") {
  TemporaryTree tree;
  tree.directory("root").file("files/hosts", "h").file("first/name", "first").file("second/name", "second");
  Rootfs plan = plan_for(tree);
  plan.mounts = {bind_mount(tree.at("files/hosts"), "/etc/hosts"), bind_mount(tree.at("first"), "/data"),
                 bind_mount(tree.at("second"), "/data")};
  CHECK(in_namespaces([&] {
          EXPECT_TEXT(build_text(plan), "");
          EXPECT_TEXT(content("/etc/hosts"), "h");
          EXPECT_TEXT(content("/data/name"), "second");
          EXPECT(error_of_writing("/data/new") == 0);
          return std::string();
        }) == "");
  CHECK(tree.exists("second/new"));
}

TEST_CASE("a read-only bind is read-only for the container alone, its submounts only if they are meant too") {
  TemporaryTree tree;
  tree.directory("root").directory("data/sub");
  Rootfs plan = plan_for(tree);
  plan.mounts = {bind_mount(tree.at("data"), "/ro"), bind_mount(tree.at("data"), "/rro")};
  plan.mounts[0].attributes.set = MOUNT_ATTR_RDONLY;
  plan.mounts[1].recursive_attributes.set = MOUNT_ATTR_RDONLY;
  CHECK(in_namespaces([&] {
          EXPECT(mount_tmpfs(tree.at("data/sub")));
          EXPECT_TEXT(build_text(plan), "");
          EXPECT(error_of_writing("/ro/file") == EROFS);
          EXPECT(error_of_writing("/ro/sub/file") == 0);
          EXPECT(error_of_writing("/rro/file") == EROFS);
          EXPECT(error_of_writing("/rro/sub/file") == EROFS);
          return std::string();
        }) == "");
  CHECK_FALSE(tree.exists("data/file"));
}

TEST_CASE("a source that does not exist is named with its place in the configuration") {
  TemporaryTree tree;
  tree.directory("root");
  Rootfs plan = plan_for(tree);
  plan.mounts = {bind_mount("/no/such/source", "/data")};
  plan.mounts[0].pointer = "/mounts/3";
  CHECK(in_namespaces([&] {
          EXPECT_TEXT(build_text(plan),
                      "/mounts/3/source: open_tree(/no/such/source): No such file or directory "
                      "(what a bind mount shows must exist)");
          return std::string();
        }) == "");
  CHECK_FALSE(tree.exists("root/data"));
}

TEST_CASE("a file cannot be mounted on a directory") {
  TemporaryTree tree;
  tree.directory("root/data").file("file");
  Rootfs plan = plan_for(tree);
  plan.mounts = {bind_mount(tree.at("file"), "/data")};
  CHECK(in_namespaces([&] {
          const std::string file = tree.at("file").string();
          EXPECT_TEXT(build_text(plan), "/mounts/0: mount " + file + " on /data: not a directory: " + file +
                                            " is a file, and /data in the container is a directory");
          return std::string();
        }) == "");
}

TEST_CASE("flags that a user namespace cannot take off are an error, others stay as at the source") {
  TemporaryTree tree;
  tree.directory("root").directory("data");
  Rootfs keeps = plan_for(tree);
  keeps.mounts = {bind_mount(tree.at("data"), "/data")};
  Rootfs clears = keeps;
  clears.mounts[0].attributes.clear = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID;
  // A namespace in a namespace: the outer one's mounts are locked in the inner one.
  const auto locked = [&](const Rootfs& plan, const std::string& expected) {
    return in_namespaces([&] {
      const std::string data = tree.at("data");
      const int copy = static_cast<int>(::syscall(SYS_open_tree, AT_FDCWD, data.c_str(), OPEN_TREE_CLONE));
      mount_attr attributes{};
      attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID;
      EXPECT(::syscall(SYS_mount_setattr, copy, "", AT_EMPTY_PATH, &attributes, sizeof attributes) == 0);
      EXPECT(::syscall(SYS_move_mount, copy, "", AT_FDCWD, data.c_str(), MOVE_MOUNT_F_EMPTY_PATH) == 0);
      return in_namespaces([&] {
        EXPECT_TEXT(build_text(plan), expected);
        EXPECT(!expected.empty() || error_of_writing("/data/x") == EROFS);
        return std::string();
      });
    });
  };
  CHECK(locked(keeps, "") == "");
  CHECK(locked(clears, "/mounts/0: mount " + tree.at("data").string() +
                           " on /data: mount_setattr(/data): Operation not permitted "
                           "(a user namespace cannot take ro,nosuid off a mount of the host)") == "");
}

TEST_CASE("a link can be copied instead of what it points to") {
  TemporaryTree tree;
  tree.directory("root").link("files/localtime", "/usr/share/zoneinfo/UTC").directory("data");
  Rootfs plan = plan_for(tree);
  plan.mounts = {bind_mount(tree.at("files/localtime"), "/etc/localtime"), bind_mount(tree.at("data"), "/data")};
  plan.mounts[0].copy_symlink = true;
  plan.mounts[1].copy_symlink = true;  // no link: a bind as any other
  const auto body = [&] {
    EXPECT_TEXT(build_text(plan), "");
    EXPECT_TEXT(std::filesystem::read_symlink("/etc/localtime").string(), "/usr/share/zoneinfo/UTC");
    EXPECT(is_directory("/data"));
    return std::string();
  };
  CHECK(in_namespaces(body) == "");
  CHECK(in_namespaces(body) == "");  // the link of the first time is there
}
