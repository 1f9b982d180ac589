#include <berth/path/root_dir.hpp>
#include <berth/sys/file.hpp>

#include <fcntl.h>

#include <catch2/catch.hpp>
#include <temporary_tree.hpp>

using berth::path::clean;
using berth::path::RootDir;
using berth::test::TemporaryTree;

namespace {

// A container's root at `root` and, beside it, a `canary` of the host.
struct Fixture {
  TemporaryTree tree;
  std::string canary;
  RootDir root;

  Fixture() {
    tree.directory("root").file("canary/secret", "s");
    canary = tree.fingerprint("canary");
    root = RootDir(berth::sys::open_at(AT_FDCWD, tree.at("root"), O_PATH | O_DIRECTORY).value());
  }
  ~Fixture() { CHECK(tree.fingerprint("canary") == canary); }
};

ino_t inode(int fd) {
  return berth::sys::stat_fd(fd, "").value().st_ino;
}
ino_t inode(const TemporaryTree& tree, const std::string& path) {
  return berth::sys::stat_at(AT_FDCWD, tree.at(path), 0).value().st_ino;
}

// Whether `made` is the entry at `path` (which exists only after it was made).
bool is_at(const berth::Result<berth::sys::UniqueFd>& made, const TemporaryTree& tree, const std::string& path) {
  return made && inode(made->get()) == inode(tree, path);
}

}  // namespace

TEST_CASE("clean resolves dots by text") {
  CHECK(clean("") == "/");
  CHECK(clean("/") == "/");
  CHECK(clean("///") == "/");
  CHECK(clean("dev") == "/dev");
  CHECK(clean("/dev//pts/./") == "/dev/pts");
  CHECK(clean("/a/../../b/..") == "/");
  CHECK(clean("../proc") == "/proc");
}

TEST_CASE("paths are resolved inside the root") {
  Fixture fixture;
  fixture.tree.file("root/etc/passwd").link("root/absolute", "/etc").link("root/up", "../../..");

  CHECK(inode(fixture.root.open("/", O_PATH)->get()) == inode(fixture.tree, "root"));
  CHECK(inode(fixture.root.open("absolute/passwd", O_PATH)->get()) == inode(fixture.tree, "root/etc/passwd"));
  CHECK(inode(fixture.root.open("/up/../etc/passwd", O_PATH)->get()) == inode(fixture.tree, "root/etc/passwd"));
  const auto missing = fixture.root.open("up/canary/secret", O_PATH);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().message() == "openat2(<rootfs>/up/canary/secret): No such file or directory");
}

TEST_CASE("a path can be taken as it is written") {
  Fixture fixture;
  fixture.tree.directory("root/proc/sys").link("root/kernel", "proc").link("root/proc/link", "sys");
  CHECK(is_at(fixture.root.open_without_links("/proc/sys", O_PATH), fixture.tree, "root/proc/sys"));
  CHECK(fixture.root.open_without_links("/kernel/sys", O_PATH).error().is(ELOOP));
  CHECK(fixture.root.open_without_links("/proc/link", O_PATH).error().is(ELOOP));
  CHECK(fixture.root.open_without_links("/proc/none", O_PATH).error().is(ENOENT));
}

TEST_CASE("magic links are refused") {
  const RootDir root(berth::sys::open_at(AT_FDCWD, "/", O_PATH | O_DIRECTORY).value());
  const auto opened = root.open("/proc/self/root/etc", O_PATH);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().is(ELOOP));
  CHECK_FALSE(root.make_directories("/proc/self/cwd/x", 0755));
}

TEST_CASE("missing directories are made, and those that exist are left as they are") {
  Fixture fixture;
  fixture.tree.directory("root/a");
  const auto made = fixture.root.make_directories("/a/b/./c", 0700);
  REQUIRE(made);
  CHECK(inode(made->get()) == inode(fixture.tree, "root/a/b/c"));
  CHECK((berth::sys::stat_at(AT_FDCWD, fixture.tree.at("root/a/b/c"), 0)->st_mode & 07777U) == 0700);
  CHECK(inode(fixture.root.make_directories("a/b/c", 0755)->get()) == inode(made->get()));
  CHECK(is_at(fixture.root.make_directories("/", 0755), fixture.tree, "root"));
}

TEST_CASE("directories are made behind links, but only inside the root") {
  Fixture fixture;
  fixture.tree.directory("root/run")
      .link("root/var/run", "/run")
      .link("root/out", "../canary")
      .link("root/far", "/canary/x");

  CHECK(is_at(fixture.root.make_directories("/var/run/app", 0755), fixture.tree, "root/run/app"));
  CHECK(is_at(fixture.root.make_directories("/out/x", 0755), fixture.tree, "root/canary/x"));
  CHECK(is_at(fixture.root.make_directories("/far/y", 0755), fixture.tree, "root/canary/x/y"));
}

TEST_CASE("a file is made where a link says that it should be") {
  Fixture fixture;
  fixture.tree.file("root/etc/hostname", "h").link("root/etc/resolv.conf", "../run/resolve/stub.conf");

  CHECK(is_at(fixture.root.make_file("/etc/hostname", 0644), fixture.tree, "root/etc/hostname"));
  const auto made = fixture.root.make_file("/etc/resolv.conf", 0644);
  REQUIRE(made);
  CHECK(inode(made->get()) == inode(fixture.tree, "root/run/resolve/stub.conf"));
  CHECK(S_ISREG(berth::sys::stat_fd(made->get(), "")->st_mode));
  CHECK(is_at(fixture.root.make_file("/new/dir/file", 0600), fixture.tree, "root/new/dir/file"));
}

TEST_CASE("what is missing can be made without following any link") {
  Fixture fixture;
  fixture.tree.directory("root/run").link("root/var", "run").link("root/dangling", "run/new");
  CHECK(is_at(fixture.root.make_directories_without_links("/a/b", 0755), fixture.tree, "root/a/b"));
  CHECK(is_at(fixture.root.make_directories_without_links("/a/b", 0755), fixture.tree, "root/a/b"));
  CHECK(is_at(fixture.root.make_file_without_links("/c/file", 0644), fixture.tree, "root/c/file"));
  CHECK(fixture.root.make_directories_without_links("/var/x", 0755).error().is(ELOOP));
  CHECK(fixture.root.make_directories_without_links("/dangling", 0755).error().is(ELOOP));
  CHECK(fixture.root.make_directories_without_links("/dangling/y", 0755).error().is(ELOOP));
  CHECK(fixture.root.make_file_without_links("/dangling", 0644).error().is(ELOOP));
  CHECK_FALSE(fixture.tree.exists("root/run/new"));
}

TEST_CASE("what cannot be made is an error and makes nothing") {
  Fixture fixture;
  fixture.tree.file("root/file").link("root/loop", "loop2").link("root/loop2", "/loop").link("root/dots", "no/../yes");

  const auto below_file = fixture.root.make_directories("/file/x", 0755);
  REQUIRE_FALSE(below_file);
  CHECK(below_file.error().is(ENOTDIR));
  CHECK(fixture.root.make_directories("/loop/x", 0755).error().is(ELOOP));
  CHECK(fixture.root.make_file("/loop", 0644).error().is(ELOOP));
  CHECK(fixture.root.make_file("/", 0644).has_value());  // exists; that it is no file is the caller's to see
  CHECK_FALSE(fixture.root.make_file("/missing/../../canary/f", 0644));
  CHECK_FALSE(fixture.root.make_directories("/dots", 0755));
  CHECK_FALSE(fixture.tree.exists("root/yes"));
}

TEST_CASE("links that lead from one missing name to the next end after a bound") {
  Fixture fixture;
  constexpr int kLinks = 60;
  for (int index = 0; index < kLinks; ++index) {
    fixture.tree.link("root/l" + std::to_string(index), "l" + std::to_string(index + 1) + "/d");
  }
  const auto made = fixture.root.make_directories("/l0", 0755);
  REQUIRE_FALSE(made);
  CHECK(made.error().is(ELOOP));
}

TEST_CASE("a parent is opened for an entry that is never followed") {
  Fixture fixture;
  fixture.tree.link("root/dev", "../canary");
  auto parent = fixture.root.make_parent("/dev/null", 0755);
  REQUIRE(parent);
  CHECK(parent->name == "null");
  CHECK(inode(parent->directory.get()) == inode(fixture.tree, "root/canary"));
  CHECK(inode(fixture.root.make_parent("top", 0755)->directory.get()) == inode(fixture.tree, "root"));
  CHECK(fixture.root.make_parent("/", 0755).error().is(EINVAL));
  CHECK(fixture.root.make_parent("/a/..", 0755).error().is(EINVAL));
}
