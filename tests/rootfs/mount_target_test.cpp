#include "rootfs/mount_target.hpp"

#include <berth/sys/file.hpp>

#include <sys/stat.h>

#include "rootfs/in_namespaces.hpp"

using namespace berth::test;
using berth::rootfs::check_destination;
using berth::rootfs::open_mount_target;

TEST_CASE("the root, /proc and what is in it are protected") {
  CHECK(check_destination(filesystem("tmpfs", "/tmp")));
  CHECK(check_destination(filesystem("proc", "/proc")));
  CHECK(check_destination(filesystem("proc", "/srv/proc")));
  CHECK(check_destination(bind_mount("/proc", "/proc")));
  CHECK(check_destination(bind_mount("/x", "/process")));
  CHECK_FALSE(check_destination(filesystem("tmpfs", "/")));
  CHECK_FALSE(check_destination(filesystem("tmpfs", "/a/..")));
  CHECK_FALSE(check_destination(filesystem("tmpfs", "/proc")));
  CHECK_FALSE(check_destination(filesystem("sysfs", "/proc/")));
  CHECK_FALSE(check_destination(filesystem("proc", "/proc/self")));
  CHECK_FALSE(check_destination(bind_mount("/x", "/proc/self/attr")));
  CHECK_FALSE(check_destination(bind_mount("/x", "/tmp/../proc/sys/kernel/core_pattern")));
  CHECK_FALSE(check_destination(bind_mount("/x", "/proc/cpuinfo/x")));
}

TEST_CASE("what lxcfs emulates may be mounted over") {
  for (const char* name : {"cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo",
                           "sys/kernel/ns_last_pid", "sys/crypto/fips_enabled"}) {
    INFO(name);
    CHECK(check_destination(bind_mount("/var/lib/lxcfs/x", std::string("/proc/") + name)));
  }
}

namespace {

struct Fixture {
  TemporaryTree tree;
  berth::path::RootDir root;

  Fixture() {
    tree.directory("root").file("canary/file").directory("source").file("source-file");
    root = berth::path::RootDir(open("root"));
  }
  berth::sys::UniqueFd open(const std::string& path) const {
    return berth::sys::open_at(AT_FDCWD, tree.at(path), O_PATH).value();
  }
  mode_t mode(const std::string& path) const { return berth::sys::stat_at(AT_FDCWD, tree.at(path), 0)->st_mode; }
};

}  // namespace

TEST_CASE("a missing place is made as its source is") {
  Fixture fixture;
  const berth::sys::FileModeMask exact_modes(0);
  const auto file = open_mount_target(fixture.root, bind_mount("s", "/a/b/file"), fixture.open("source-file").get());
  REQUIRE(file);
  CHECK_FALSE(file->existed);
  CHECK(fixture.mode("root/a/b/file") == (S_IFREG | 0644));
  CHECK(fixture.mode("root/a/b") == (S_IFDIR | 0755));
  CHECK(open_mount_target(fixture.root, bind_mount("s", "/a/dir"), fixture.open("source").get()));
  CHECK(fixture.mode("root/a/dir") == (S_IFDIR | 0755));
  CHECK(open_mount_target(fixture.root, filesystem("tmpfs", "/a/tmp"), -1));
  CHECK(fixture.mode("root/a/tmp") == (S_IFDIR | 0755));
  CHECK(open_mount_target(fixture.root, filesystem("tmpfs", "/a/tmp"), -1)->existed);
}

TEST_CASE("links are followed inside the root, for a file that they promise too") {
  Fixture fixture;
  fixture.tree.link("root/etc/resolv.conf", "../run/resolv.conf").link("root/var/run", "/run").directory("root/run");
  REQUIRE(open_mount_target(fixture.root, bind_mount("s", "/etc/resolv.conf"), fixture.open("source-file").get()));
  CHECK(S_ISREG(fixture.mode("root/run/resolv.conf")));
  REQUIRE(open_mount_target(fixture.root, filesystem("tmpfs", "/var/run/lock"), -1));
  CHECK(S_ISDIR(fixture.mode("root/run/lock")));
}

TEST_CASE("a link can be a place itself") {
  Fixture fixture;
  fixture.tree.link("root/link", "nowhere");
  auto mount = bind_mount("s", "/link");
  mount.destination_nofollow = true;
  const auto target = open_mount_target(fixture.root, mount, fixture.open("source-file").get());
  REQUIRE(target);
  CHECK(S_ISLNK(berth::sys::stat_fd(target->fd.get(), "")->st_mode));
  CHECK_FALSE(fixture.tree.exists("root/nowhere"));
}

TEST_CASE("a link to the root itself is no place") {
  Fixture fixture;
  fixture.tree.link("root/link", "/").link("root/up", "../..");
  CHECK(open_mount_target(fixture.root, filesystem("tmpfs", "/link"), -1).error().message() ==
        "/link leads to the root itself, which cannot be mounted over");
  CHECK_FALSE(open_mount_target(fixture.root, filesystem("tmpfs", "/up"), -1));
}

TEST_CASE("kernel file systems go onto ordinary directories only") {
  Fixture fixture;
  fixture.tree.link("root/proc", "/bad").directory("root/bad").link("root/sys", "../canary").file("root/file");
  fixture.tree.link("root/srv", "bad");
  for (const auto& mount : {filesystem("proc", "/proc"), filesystem("sysfs", "/sys"), filesystem("proc", "/file"),
                            filesystem("proc", "/srv/proc"), filesystem("proc", "/file/proc")}) {
    INFO(mount.destination);
    const auto target = open_mount_target(fixture.root, mount, -1);
    REQUIRE_FALSE(target);
    CHECK(target.error().message().find("must be mounted on an ordinary directory") != std::string::npos);
  }
  CHECK_FALSE(fixture.tree.exists("root/bad/proc"));
  CHECK(open_mount_target(fixture.root, filesystem("proc", "/new/proc"), -1));
}

TEST_CASE("only procfs goes onto /proc") {
  Fixture fixture;
  fixture.tree.directory("root/proc");
  CHECK(open_mount_target(fixture.root, bind_mount("/x", "/proc"), fixture.open("source").get()).error().message() ==
        "/x is not procfs, only procfs can be mounted on /proc");
  const auto proc = berth::sys::open_at(AT_FDCWD, "/proc", O_PATH);
  CHECK(open_mount_target(fixture.root, bind_mount("/proc", "/proc"), proc->get()));
}
