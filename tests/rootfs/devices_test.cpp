#include "rootfs/devices.hpp"

#include <berth/sys/file.hpp>

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "rootfs/in_namespaces.hpp"

using namespace berth::test;
using berth::plan::Rootfs;
using berth::rootfs::fills_dev;
using berth::rootfs::RootfsBuilder;

namespace {

bool is_device(const std::string& path, unsigned major, unsigned minor) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == ::makedev(major, minor);
}

bool can_make_nodes(const TemporaryTree& tree) {
  return ::mknod(tree.at("probe").c_str(), S_IFCHR | 0600, ::makedev(1, 3)) == 0;
}

Rootfs plan_with_devices(const TemporaryTree& tree) {
  Rootfs plan = plan_for(tree);
  plan.mounts = {filesystem("proc", "/proc"), filesystem("tmpfs", "/dev"), filesystem("devpts", "/dev/pts")};
  plan.mounts[1].fs_options = {{"mode", "755"}};
  plan.mounts[2].fs_options = {{"ptmxmode", "0666"}, {"newinstance", {}}};
  plan.devices = {device("/dev/null", 1, 3), device("/dev/sub/zero", 1, 5), device("/dev/ptmx", 5, 2)};
  plan.devices[1].path = "/dev/zero";
  return plan;
}

}  // namespace

TEST_CASE("/dev of the host is not filled") {
  Rootfs plan;
  CHECK(fills_dev(plan));
  plan.mounts = {filesystem("tmpfs", "/dev"), bind_mount("/x", "/dev/shm")};
  CHECK(fills_dev(plan));
  plan.mounts.push_back(bind_mount("/dev", "/dev/."));
  CHECK_FALSE(fills_dev(plan));
}

TEST_CASE("devices and links are made") {
  TemporaryTree tree;
  tree.directory("root");
  const Rootfs plan = plan_with_devices(tree);
  CHECK(in_namespaces([&] {
          EXPECT_TEXT(build_text(plan), "");
          EXPECT(is_device("/dev/null", 1, 3));
          EXPECT(is_device("/dev/zero", 1, 5));
          EXPECT(error_of_writing("/dev/null") == 0);
          EXPECT_TEXT(std::filesystem::read_symlink("/dev/fd").string(), "/proc/self/fd");
          EXPECT_TEXT(std::filesystem::read_symlink("/dev/stderr").string(), "/proc/self/fd/2");
          EXPECT_TEXT(std::filesystem::read_symlink("/dev/ptmx").string(), "pts/ptmx");
          EXPECT(error_of_writing("/dev/ptmx") == 0);
          return std::string();
        }) == "");
}

TEST_CASE("nodes get their exact mode and owner, whatever the file mode mask is") {
  TemporaryTree tree;
  tree.directory("root");
  if (!can_make_nodes(tree)) {
    WARN("skipped: no right to make device nodes here");
    return;
  }
  Rootfs plan = plan_with_devices(tree);
  plan.devices[1] = device("/dev/sub/zero", 1, 5);
  plan.devices[1].mode = 0642;
  plan.devices[1].uid = 12;
  plan.devices[1].gid = 34;
  plan.devices.push_back({});
  plan.devices.back().path = "/dev/pipe";
  plan.devices.back().type = 'p';
  CHECK(in_namespaces(
            [&] {
              ::umask(077);
              EXPECT_TEXT(build_text(plan, {}), "");
              struct stat status {};
              EXPECT(::stat("/dev/null", &status) == 0 && status.st_mode == (S_IFCHR | 0666) && status.st_uid == 0);
              EXPECT(is_device("/dev/sub/zero", 1, 5));
              EXPECT(::stat("/dev/sub/zero", &status) == 0 && (status.st_mode & 07777U) == 0642);
              EXPECT(status.st_uid == 12 && status.st_gid == 34);
              EXPECT(::stat("/dev/sub", &status) == 0 && status.st_mode == (S_IFDIR | 0755));
              EXPECT(::stat("/dev/pipe", &status) == 0 && S_ISFIFO(status.st_mode));
              EXPECT(::umask(0) == 077);
              return std::string();
            },
            false) == "");
}

TEST_CASE("what is there already must be the device") {
  TemporaryTree tree;
  tree.directory("root/proc").file("root/dev/null", "text").file("root/dev/fd", "kept");
  Rootfs plan = plan_for(tree);
  plan.devices = {device("/dev/null", 1, 3)};
  // With a user namespace the host's node covers the file; without one the file is not a device.
  CHECK(in_namespaces([&] {
          EXPECT_TEXT(build_text(plan), "");
          EXPECT(is_device("/dev/null", 1, 3));
          EXPECT_TEXT(content("/dev/fd"), "kept");
          return std::string();
        }) == "");
  CHECK(content(tree.at("root/dev/null")) == "text");
  if (can_make_nodes(tree)) {
    CHECK(in_namespaces(
              [&] {
                EXPECT_TEXT(build_text(plan, {}), "<rootfs>/dev/null exists and is not the device c 1:3");
                return std::string();
              },
              false) == "");
  }
}

TEST_CASE("whether nodes may be made is tried, and nothing of it is left") {
  TemporaryTree tree;
  tree.directory("dev");
  auto pipe = device("/elsewhere/pipe", 0, 0);
  pipe.type = 'p';
  CHECK(in_namespaces([&] {
          const berth::sys::UniqueFd dev(::open(tree.at("dev").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
          EXPECT(berth::rootfs::may_make_nodes(dev.get(), {}));
          EXPECT(berth::rootfs::may_make_nodes(dev.get(), {pipe}));
          EXPECT(!berth::rootfs::may_make_nodes(dev.get(), {pipe, device("/dev/null", 1, 3)}));
          return std::string();
        }) == "");
  const std::string as_root = in_namespaces(
      [&] {
        const berth::sys::UniqueFd dev(::open(tree.at("dev").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        EXPECT(berth::rootfs::may_make_nodes(dev.get(), {device("/dev/null", 1, 3), device("/dev/tty", 5, 0)}));
        EXPECT(!berth::rootfs::may_make_nodes(dev.get(), {device("/dev/null", 1, 3), device("/opt/tty", 5, 0)}));
        return std::string();
      },
      false);
  CHECK(as_root == "");
  CHECK(std::filesystem::is_empty(tree.at("dev")));
}

TEST_CASE("a device that the host does not have cannot be had in a user namespace") {
  TemporaryTree tree;
  tree.directory("root");
  Rootfs plan = plan_for(tree);
  plan.devices = {device("/dev/null", 7, 7)};
  CHECK(in_namespaces([&] {
          EXPECT_TEXT(build_text(plan),
                      "neither /dev/null nor /dev/char/7:7 of the host is the device c 7:7, and this process may "
                      "not make one");
          return std::string();
        }) == "");
}

TEST_CASE("an old ptmx node is replaced by the container's own") {
  TemporaryTree tree;
  tree.file("root/dev/ptmx", "old");
  CHECK(in_namespaces([&] {
          EXPECT_TEXT(build_text(plan_for(tree)), "");
          EXPECT_TEXT(std::filesystem::read_symlink("/dev/ptmx").string(), "pts/ptmx");
          return std::string();
        }) == "");
}

namespace {

// A terminal of the container's devpts, bound to its /dev/console.
std::string bind_console(RootfsBuilder& builder) {
  const auto master = builder.root().open("/dev/pts/ptmx", O_RDWR | O_NOCTTY);
  if (!master) {
    return master.error().message();
  }
  int unlock = 0;
  EXPECT(::ioctl(master->get(), TIOCSPTLCK, &unlock) == 0);
  const berth::sys::UniqueFd slave(::ioctl(master->get(), TIOCGPTPEER, O_RDWR | O_NOCTTY));
  EXPECT(slave.valid());
  const auto bound = builder.bind_console(slave.get());
  return bound ? "" : bound.error().message();
}

}  // namespace

TEST_CASE("the terminal is bound to the console") {
  TemporaryTree tree;
  tree.directory("root");
  const Rootfs plan = plan_with_devices(tree);
  CHECK(in_namespaces([&] {
          RootfsBuilder builder(plan, user_namespace_options());
          EXPECT_OK(prepare(builder));
          EXPECT_TEXT(bind_console(builder), "");
          EXPECT_OK(builder.pivot());
          struct stat status {};
          constexpr unsigned kUnix98Slaves = 136;
          EXPECT(::lstat("/dev/console", &status) == 0 && S_ISCHR(status.st_mode));
          EXPECT(gnu_dev_major(status.st_rdev) == kUnix98Slaves);
          return std::string();
        }) == "");
}

TEST_CASE("a console that is a link is refused, and nothing is made behind it") {
  TemporaryTree tree;
  tree.directory("root/dev/pts").directory("root/proc").directory("canary");
  tree.link("root/dev/console", tree.at("canary/console"));
  const std::string before = tree.fingerprint("canary");
  Rootfs plan = plan_with_devices(tree);
  plan.mounts.erase(plan.mounts.begin() + 1);  // no tmpfs on /dev: the image's own
  CHECK(in_namespaces([&] {
          RootfsBuilder builder(plan, user_namespace_options());
          EXPECT_OK(prepare(builder));
          EXPECT_TEXT(bind_console(builder), "<rootfs>/dev/console is neither a file nor a device");
          return std::string();
        }) == "");
  CHECK(tree.fingerprint("canary") == before);
  CHECK_FALSE(tree.exists("root" + tree.at("canary").string()));
}
