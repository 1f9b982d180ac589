#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include "rootfs/in_namespaces.hpp"

using namespace berth::test;
using berth::plan::Rootfs;

namespace {

Rootfs plan_with_proc(const TemporaryTree& tree) {
  Rootfs plan = plan_for(tree);
  plan.mounts = {filesystem("proc", "/proc"), filesystem("tmpfs", "/dev")};
  plan.devices = {device("/dev/null", 1, 3)};
  return plan;
}

bool is_null(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == ::makedev(1, 3);
}

bool is_readonly(const std::string& path) {
  struct statvfs status {};
  return ::statvfs(path.c_str(), &status) == 0 && (status.f_flag & ST_RDONLY) != 0;
}

dev_t file_system(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_dev : 0;
}

}  // namespace

TEST_CASE("masked files are empty, masked directories share one empty file system, missing paths need nothing") {
  TemporaryTree tree;
  tree.file("root/secret", "s").file("root/dir/secret", "s").file("root/dir2/secret", "s").link("root/link", "secret2");
  tree.file("root/secret2", "s");
  Rootfs plan = plan_with_proc(tree);
  plan.masked_paths = {"/secret", "/dir", "/dir2/", "/dir2", "/none", "/secret/none", "/proc/keys", "/link"};
  CHECK(in_namespaces([&] {
          EXPECT_TEXT(build_text(plan), "");
          EXPECT(is_null("/secret"));
          EXPECT(is_null("/secret2"));
          EXPECT_TEXT(content("/secret"), "");
          EXPECT(std::filesystem::is_empty("/dir"));
          EXPECT(std::filesystem::is_empty("/dir2"));
          EXPECT(file_system("/dir") == file_system("/dir2"));
          EXPECT(error_of_writing("/dir/new") == EROFS);
          EXPECT(error_of_writing("/dir2/new") == EROFS);
          const std::string mounts = content("/proc/self/mountinfo");
          EXPECT(mounts.find(" /dir2 ") == mounts.rfind(" /dir2 "));
          return std::string();
        }) == "");
}

TEST_CASE("read-only paths and a read-only root refuse writes") {
  TemporaryTree tree;
  tree.file("root/data/file", "d").file("root/single", "d").directory("root/proc").directory("root/dev");
  Rootfs plan = plan_with_proc(tree);
  plan.readonly_paths = {"/proc/sys", "/data", "/single", "/none", "/single/none"};
  plan.readonly = GENERATE(false, true);
  CHECK(in_namespaces([&] {
          EXPECT_TEXT(build_text(plan), "");
          EXPECT(is_readonly("/proc/sys") && !is_readonly("/proc"));
          EXPECT(error_of_writing("/data/new") == EROFS);
          EXPECT(error_of_writing("/single") == EROFS);
          EXPECT_TEXT(content("/data/file"), "d");
          EXPECT(error_of_writing("/new") == (plan.readonly ? EROFS : 0));
          EXPECT(error_of_writing("/dev/new") == 0);
          return std::string();
        }) == "");
}

TEST_CASE("a mask inside a read-only path stays a mask") {
  TemporaryTree tree;
  tree.file("root/data/secret", "s");
  Rootfs plan = plan_with_proc(tree);
  plan.readonly_paths = {"/data"};
  plan.masked_paths = {"/data/secret"};
  CHECK(in_namespaces([&] {
          EXPECT_TEXT(build_text(plan), "");
          EXPECT(is_null("/data/secret"));
          return std::string();
        }) == "");
}

TEST_CASE("what is mounted in a read-only path is still there, and read-only too") {
  TemporaryTree tree;
  tree.directory("root/data/sub").file("source/file", "f");
  Rootfs plan = plan_with_proc(tree);
  plan.mounts.push_back(bind_mount(tree.at("source"), "/data/sub"));
  plan.readonly_paths = {"/data"};
  CHECK(in_namespaces([&] {
          EXPECT_TEXT(build_text(plan), "");
          EXPECT_TEXT(content("/data/sub/file"), "f");
          EXPECT(is_readonly("/data/sub"));
          return std::string();
        }) == "");
}
