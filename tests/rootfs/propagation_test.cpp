#include "rootfs/propagation.hpp"

#include <sys/syscall.h>

#include <catch2/catch.hpp>

#include "rootfs/in_namespaces.hpp"

using namespace berth::rootfs;
using namespace berth::test;
using berth::plan::Rootfs;

namespace {

Rootfs with(std::uint64_t type, bool recursive) {
  Rootfs plan;
  plan.propagation = type;
  plan.propagation_recursive = recursive;
  return plan;
}

const Propagation kNone{};
const Propagation kAllSlaves{MS_SLAVE, true};

std::string make_shared_namespace() {
  mount_attr attributes{};
  attributes.propagation = MS_SHARED;
  EXPECT(::syscall(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &attributes, sizeof attributes) == 0);
  return "";
}

// The lines of mountinfo without ids, which count up.
std::string mounts_here() {
  return content("/proc/self/mountinfo");
}

// Builds a root in a mount namespace whose mounts are peers of the caller's, and says what the caller's mounts became.
std::string build_beside(const Rootfs& plan, const std::string& expected_line) {
  EXPECT_TEXT(make_shared_namespace(), "");
  const std::string before = mounts_here();
  const pid_t child = ::fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWNS) < 0 || !build_text(plan).empty() ||
        mounts_here().find(expected_line) == std::string::npos) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT(status == 0);
  EXPECT(mounts_here() == before);
  return "";
}

}  // namespace

TEST_CASE("by default nothing reaches the host and the root is private") {
  CHECK(propagation_of_host(with(0, false)) == kAllSlaves);
  CHECK(propagation_while_building(with(0, false)) == kNone);
  CHECK(propagation_of_new_root(with(0, false)) == Propagation{MS_PRIVATE, false});
  CHECK(propagation_of_root(with(0, false)) == kNone);
}

TEST_CASE("slave and private are applied before anything is copied") {
  CHECK(propagation_of_host(with(MS_PRIVATE, true)) == Propagation{MS_PRIVATE, true});
  CHECK(propagation_while_building(with(MS_PRIVATE, true)) == kNone);
  CHECK(propagation_of_host(with(MS_SLAVE, true)) == kAllSlaves);
  CHECK(propagation_while_building(with(MS_SLAVE, true)) == kNone);
  CHECK(propagation_of_new_root(with(MS_SLAVE, true)) == Propagation{MS_SLAVE, false});
  CHECK(propagation_of_root(with(MS_SLAVE, true)) == kNone);
}

TEST_CASE("what leaves shared mounts is closed before mounts are made") {
  CHECK(propagation_while_building(with(MS_SLAVE, false)) == kAllSlaves);
  CHECK(propagation_while_building(with(MS_PRIVATE, false)) == kAllSlaves);
  CHECK(propagation_while_building(with(MS_SHARED, true)) == kAllSlaves);
}

TEST_CASE("shared and unbindable are what the root is in the end") {
  CHECK(propagation_of_host(with(MS_SHARED, true)) == Propagation{MS_SHARED, true});
  CHECK(propagation_of_new_root(with(MS_SHARED, true)) == Propagation{MS_PRIVATE, false});
  CHECK(propagation_of_root(with(MS_SHARED, true)) == Propagation{MS_SHARED, true});
  CHECK(propagation_of_host(with(MS_UNBINDABLE, false)) == kAllSlaves);
  CHECK(propagation_while_building(with(MS_UNBINDABLE, false)) == kNone);
  CHECK(propagation_of_root(with(MS_UNBINDABLE, false)) == Propagation{MS_UNBINDABLE, false});
}

TEST_CASE("mounts of a container do not reach a host with shared mounts") {
  TemporaryTree tree;
  tree.directory("root/proc").directory("root/dev").file("files/hosts");
  struct Case {
    std::uint64_t propagation;
    std::string line;  // in the container's mountinfo: what "/" is
  };
  const std::string root_fields = " / rw";
  for (const Case& one : {Case{0, root_fields}, Case{MS_PRIVATE, root_fields}, Case{MS_SLAVE, root_fields},
                          Case{MS_SHARED, " shared:"}, Case{MS_UNBINDABLE, " unbindable "}}) {
    INFO(one.propagation);
    Rootfs plan = plan_for(tree);
    plan.propagation = one.propagation;
    plan.propagation_recursive = true;
    plan.mounts = {filesystem("proc", "/proc"), filesystem("tmpfs", "/dev"),
                   bind_mount(tree.at("files/hosts"), "/etc/hosts")};
    CHECK(in_namespaces([&] { return build_beside(plan, one.line); }) == "");
  }
}
