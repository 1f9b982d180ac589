// Images and volumes that were made to reach the host. Beside every root lies a canary that must not change.

#include <berth/sys/file.hpp>

#include <linux/fs.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include <chrono>

#include "rootfs/in_namespaces.hpp"
#include "rootfs/mount_target.hpp"

using namespace berth::test;
using berth::plan::MountKind;
using berth::plan::Rootfs;

namespace {

struct Fixture {
  TemporaryTree tree;
  std::string canary;

  Fixture() {
    tree.directory("root").file("canary/secret", "s").file("canary/ptmx", "p").directory("canary/proc");
    tree.directory("source").file("source-file");
    canary = tree.fingerprint("canary");
  }
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;
  ~Fixture() { CHECK(tree.fingerprint("canary") == canary); }

  [[nodiscard]] Rootfs plan() const {
    Rootfs plan = plan_for(tree);
    plan.mounts = {filesystem("proc", "/proc"), filesystem("tmpfs", "/dev")};
    plan.devices = {device("/dev/null", 1, 3)};
    return plan;
  }
};

std::string refused(const Rootfs& plan, const std::string& because) {
  return in_namespaces([&] {
    const std::string text = build_text(plan);
    return text.find(because) != std::string::npos ? "" : "not refused, but: " + text;
  });
}

std::string built(const Rootfs& plan) {
  return in_namespaces([&] { return build_text(plan); });
}

}  // namespace

TEST_CASE("CVE-2019-19921: /proc and /sys that are links") {
  Fixture fixture;
  const std::string target = GENERATE("/bad", "bad", "../canary", "/canary/proc", "../../../../..", "/nowhere", "link");
  fixture.tree.directory("root/bad").link("root/link", "/bad").link("root/proc", target).link("root/sys", target);
  Rootfs plan = plan_for(fixture.tree);
  plan.mounts = {filesystem("proc", "/proc")};
  CHECK(refused(plan, "must be mounted on an ordinary directory") == "");
  plan.mounts = {filesystem("sysfs", "/sys")};
  CHECK(refused(plan, "must be mounted on an ordinary directory") == "");
  CHECK(std::filesystem::is_empty(fixture.tree.at("root/bad")));
}

TEST_CASE("CVE-2019-16884: mounts over procfs") {
  Fixture fixture;
  fixture.tree.link("root/to-proc", "/proc").link("root/to-attr", "proc/self/attr").link("root/mtab", "proc/mounts");
  Rootfs plan = fixture.plan();
  plan.mounts.push_back(filesystem("tmpfs", "/proc"));
  CHECK(refused(plan, "only procfs can be mounted on /proc") == "");
  plan.mounts.back() = bind_mount(fixture.tree.at("source"), "/proc");
  CHECK(refused(plan, "only procfs can be mounted on /proc") == "");
  plan.mounts.back() = bind_mount(fixture.tree.at("source"), "/proc/self/attr");
  CHECK(refused(plan, "inside /proc") == "");
  plan.mounts.back() = bind_mount(fixture.tree.at("source"), "/to-proc");
  CHECK(refused(plan, "leads into procfs") == "");
  plan.mounts.back() = bind_mount(fixture.tree.at("source"), "/to-attr");
  CHECK(refused(plan, "leads into procfs") == "");
  plan.mounts.back() = bind_mount(fixture.tree.at("source-file"), "/mtab");
  CHECK(refused(plan, "leads into procfs") == "");
  plan.mounts.back() = bind_mount(fixture.tree.at("source-file"), "/proc/uptime");
  CHECK(built(plan) == "");
}

TEST_CASE("CVE-2026-41579: /dev that is a link to the host") {
  Fixture fixture;
  const bool relative = GENERATE(true, false);
  fixture.tree.link("root/dev", relative ? "../canary" : fixture.tree.at("canary").string());
  Rootfs plan = fixture.plan();
  plan.mounts.pop_back();  // no tmpfs: what the image has
  CHECK(built(plan) == "");
}

TEST_CASE("CVE-2025-31133: a /dev/null that is not the null device") {
  Fixture fixture;
  fixture.tree.file("root/m", "secret").directory("dev");
  const std::string null = fixture.tree.at("dev/null");
  SECTION("a link") {
    fixture.tree.link("dev/null", "/proc/sys/kernel/core_pattern");
  }
  SECTION("a link to the real one") {
    fixture.tree.link("dev/null", "null2").file("dev/null2");
  }
  SECTION("a file") {
    fixture.tree.file("dev/null");
  }
  SECTION("a pipe") {
    REQUIRE(::mkfifo(null.c_str(), 0600) == 0);
  }
  Rootfs plan = fixture.plan();
  plan.mounts[1] = bind_mount(fixture.tree.at("dev"), "/dev");
  plan.masked_paths = {"/m"};
  CHECK(refused(plan, "mask /m: /dev/null of the container is not the device c 1:3") == "");
}

TEST_CASE("CVE-2025-31133: another device as /dev/null") {
  Fixture fixture;
  fixture.tree.file("root/m", "secret").file("dev/null");
  Rootfs plan = fixture.plan();
  plan.mounts[1] = bind_mount(fixture.tree.at("dev"), "/dev");
  plan.mounts.push_back(bind_mount("/dev/zero", "/dev/null"));
  plan.masked_paths = {"/m"};
  CHECK(refused(plan, "/dev/null of the container is not the device c 1:3") == "");
  plan.mounts.back() = bind_mount("/dev/null", "/dev/null");
  CHECK(built(plan) == "");
}

TEST_CASE("CVE-2025-31133: a link to a null device is not /dev/null") {
  Fixture fixture;
  fixture.tree.file("root/m", "secret").file("dev/other").link("dev/null", "other");
  Rootfs plan = fixture.plan();
  plan.mounts[1] = bind_mount(fixture.tree.at("dev"), "/dev");
  plan.mounts.push_back(bind_mount("/dev/null", "/dev/other"));
  plan.masked_paths = {"/m"};
  CHECK(refused(plan, "/dev/null of the container is not the device c 1:3") == "");
}

TEST_CASE("CVE-2026-88265: a block device with the number of the null device") {
  Fixture fixture;
  fixture.tree.file("root/m", "secret").directory("dev");
  if (::mknod(fixture.tree.at("dev/null").c_str(), S_IFBLK | 0600, ::makedev(1, 3)) != 0) {
    WARN("skipped: no right to make device nodes here");
    return;
  }
  Rootfs plan = fixture.plan();
  plan.mounts[1] = bind_mount(fixture.tree.at("dev"), "/dev");
  plan.masked_paths = {"/m"};
  CHECK(refused(plan, "/dev/null of the container is not the device c 1:3") == "");
}

TEST_CASE("a place for a device that is a link") {
  Fixture fixture;
  fixture.tree.link("root/dev/null", "/target").file("root/target", "kept");
  Rootfs plan = fixture.plan();
  plan.mounts.pop_back();
  CHECK(refused(plan, "<rootfs>/dev/null is a symbolic link and not the device c 1:3") == "");
}

TEST_CASE("a link that is copied into procfs") {
  Fixture fixture;
  fixture.tree.link("link", "target");
  Rootfs plan = fixture.plan();
  plan.mounts.push_back(bind_mount(fixture.tree.at("link"), "/proc/link"));
  plan.mounts.back().copy_symlink = true;
  CHECK(refused(plan, "/proc/link cannot be mounted over because it is inside /proc") == "");
}

TEST_CASE("parents that are links out of the root, for every kind of mount") {
  Fixture fixture;
  const std::string target = GENERATE("/proc/1/root", "/proc/self/cwd", "../../..", "/..", "proc/1/cwd/../canary");
  fixture.tree.link("root/out", target);
  Rootfs plan = fixture.plan();
  const std::string inside = "/out" + fixture.tree.at("canary").string();
  auto cgroup = filesystem("cgroup", inside + "/cgroup");
  cgroup.kind = MountKind::kCgroup;
  auto link = bind_mount(fixture.tree.at("root/out"), inside + "/link");
  link.copy_symlink = true;
  for (const auto& mount :
       {filesystem("tmpfs", inside + "/tmp"), filesystem("sysfs", inside + "/sys"),
        filesystem("proc", inside + "/proc"), bind_mount(fixture.tree.at("source"), inside + "/dir"),
        bind_mount(fixture.tree.at("source-file"), inside + "/file"), cgroup, link}) {
    INFO(mount.destination);
    plan.mounts.resize(2);
    plan.mounts.push_back(mount);
    // Refused or made inside the root, where the text of the link leads nowhere else: both are safe.
    in_namespaces([&] {
      build_text(plan);
      return std::string();
    });
    CHECK(fixture.tree.fingerprint("canary") == fixture.canary);
  }
}

TEST_CASE("devices and masks below links out of the root") {
  Fixture fixture;
  fixture.tree.link("root/out", "../canary").link("root/abs", fixture.tree.at("canary"));
  Rootfs plan = fixture.plan();
  plan.devices.push_back(device("/out/null", 1, 3));
  plan.devices.push_back(device("/abs/dir/zero", 1, 5));
  plan.devices[2].path = "/abs/dir/null";
  plan.devices[2].minor = 3;
  plan.masked_paths = {"/out/secret", "/abs/secret"};
  plan.readonly_paths = {"/out", "/abs"};
  plan.devices.resize(1);
  CHECK(built(plan) == "");
}

namespace {

// Exchanges a directory and a link for ever.
pid_t start_exchanging(const TemporaryTree& tree) {
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string first = tree.at("root/vol/a");
    const std::string second = tree.at("root/vol/b");
    for (;;) {
      ::syscall(SYS_renameat2, AT_FDCWD, first.c_str(), AT_FDCWD, second.c_str(), RENAME_EXCHANGE);
      ::usleep(1);  // without a pause the locks of rename(2) starve the others
    }
  }
  return child;
}

}  // namespace

TEST_CASE("CVE-2021-30465, CVE-2024-45310: places that are exchanged for links while they are looked up") {
  Fixture fixture;
  CHECK(in_namespaces([&] {
          // In memory: a journal would slow both sides down.
          EXPECT(mount_tmpfs(fixture.tree.at("root")));
          fixture.tree.directory("root/vol/a").link("root/vol/b", fixture.tree.at("canary"));
          const berth::path::RootDir root(
              berth::sys::open_at(AT_FDCWD, fixture.tree.at("root"), O_PATH | O_DIRECTORY).value());
          const auto file = berth::sys::open_at(AT_FDCWD, fixture.tree.at("source-file"), O_PATH).value();
          const pid_t racer = start_exchanging(fixture.tree);
          const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(700);
          int made = 0;
          int refused_or_elsewhere = 0;
          for (int round = 0; std::chrono::steady_clock::now() < end; ++round) {
            const std::string place = "/vol/a/" + std::to_string(round);
            const auto directory = berth::rootfs::open_mount_target(root, filesystem("tmpfs", place + "/d"), -1);
            const auto entry = berth::rootfs::open_mount_target(root, bind_mount("s", place + "/f"), file.get());
            made += directory && entry ? 1 : 0;
            refused_or_elsewhere += fixture.tree.exists("root" + place + "/d") ? 0 : 1;
          }
          ::kill(racer, SIGKILL);
          ::waitpid(racer, nullptr, 0);
          EXPECT(made > 0);
          EXPECT(refused_or_elsewhere > 0);  // else nothing was exchanged in time, and nothing was tested
          return std::string();
        }) == "");
}
