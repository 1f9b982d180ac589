#include <berth/path/proc_dir.hpp>
#include <berth/sys/file.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>

using berth::path::ProcDir;

TEST_CASE("the private procfs shows processes and nothing else") {
  const auto proc = ProcDir::open();
  if (!proc) {
    WARN("skipped: no procfs here: " << proc.error().message());
    return;
  }
  CHECK(proc->read("self/comm").value().starts_with("berth_test"));
  const auto mounted = berth::sys::stat_at(AT_FDCWD, "/proc", 0);
  if (berth::sys::stat_fd(proc->fd(), "")->st_dev != mounted->st_dev) {  // else it is /proc, which holds everything
    CHECK(proc->read("sys/kernel/ostype").error().is(ENOENT));
  }
}

TEST_CASE("sysctls are in the full procfs") {
  const auto proc = ProcDir::open_full();
  if (!proc) {
    WARN("skipped: no procfs here: " << proc.error().message());
    return;
  }
  CHECK(proc->read("sys/kernel/ostype").value() == "Linux\n");
}

TEST_CASE("lookups stay in procfs") {
  const auto proc = ProcDir::open();
  if (!proc) {
    WARN("skipped: no procfs here: " << proc.error().message());
    return;
  }
  CHECK(proc->open_file("../etc/passwd", O_RDONLY).error().is(EXDEV));
  CHECK(proc->open_file("/etc/passwd", O_RDONLY).error().is(EXDEV));
  CHECK(proc->open_file("self/root/etc/passwd", O_RDONLY).error().is(ELOOP));
  CHECK(proc->open_file("self/exe", O_RDONLY).error().is(ELOOP));
  CHECK(proc->read("self/no-such").error().message() == "openat2(/proc/self/no-such): No such file or directory");
}

TEST_CASE("a text is written at once") {
  const auto proc = ProcDir::open();
  if (!proc) {
    WARN("skipped: no procfs here: " << proc.error().message());
    return;
  }
  REQUIRE(proc->write("self/comm", "renamed"));
  CHECK(proc->read("self/comm").value() == "renamed\n");
  REQUIRE(proc->write("self/comm", "berth_test_path"));
  CHECK(proc->write("self/oom_score_adj", "no number").error().is(EINVAL));
}

TEST_CASE("a verified inode is opened anew") {
  const auto proc = ProcDir::open();
  if (!proc) {
    WARN("skipped: no procfs here: " << proc.error().message());
    return;
  }
  const auto handle = berth::sys::open_at(AT_FDCWD, "/dev/null", O_PATH);
  const auto opened = proc->reopen(handle->get(), O_RDWR, "/dev/null");
  REQUIRE(opened);
  CHECK(berth::sys::stat_fd(opened->get(), "")->st_rdev == berth::sys::stat_fd(handle->get(), "")->st_rdev);
  CHECK(berth::sys::write_once(opened->get(), "x", "/dev/null"));
}
