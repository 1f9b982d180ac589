#include <sys/stat.h>

#include <algorithm>
#include <sstream>
#include <vector>

#include "rootfs/in_namespaces.hpp"

using namespace berth::test;
using berth::plan::Rootfs;

namespace {

// What an engine asks for, as far as a user namespace with one id can have it.
Rootfs engine_plan(const TemporaryTree& tree) {
  constexpr std::uint64_t kSafe = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV;
  Rootfs plan = plan_for(tree);
  plan.mounts = {filesystem("proc", "/proc", kSafe),
                 filesystem("tmpfs", "/dev", MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME),
                 filesystem("devpts", "/dev/pts", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC),
                 filesystem("sysfs", "/sys", kSafe | MOUNT_ATTR_RDONLY),
                 filesystem("mqueue", "/dev/mqueue", kSafe),
                 filesystem("tmpfs", "/dev/shm", kSafe),
                 bind_mount(tree.at("files/hosts"), "/etc/hosts")};
  plan.mounts[1].fs_options = {{"mode", "755"}, {"size", "65536k"}};
  plan.mounts[5].source = "shm";
  plan.mounts[6].propagation = MS_PRIVATE;
  plan.mounts[6].propagation_recursive = true;
  plan.devices = {device("/dev/null", 1, 3), device("/dev/tty", 5, 0)};
  plan.masked_paths = {"/proc/kcore", "/proc/acpi", "/sys/firmware"};
  plan.readonly_paths = {"/proc/sys", "/proc/bus"};
  return plan;
}

// How many mounts have "/" as their mount point: the fifth field of a line of mountinfo.
int mounts_on_root() {
  std::istringstream mounts(content("/proc/self/mountinfo"));
  int count = 0;
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string field;
    for (int index = 0; index < 5; ++index) {
      fields >> field;
    }
    count += field == "/" ? 1 : 0;
  }
  return count;
}

// The kernel lets a user namespace mount procfs only where it can see all of one already: with parts of the container's
// masked, only if the host's is still reachable.
std::string try_procfs_in_user_namespace() {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID) < 0) {
      ::_exit(2);
    }
    const pid_t init = ::fork();
    if (init == 0) {
      const auto context = berth::sys::fs_open("proc");
      const bool mounted =
          context && berth::sys::fs_create(context->get(), "proc") && berth::sys::fs_mount(context->get(), 0, "proc");
      ::_exit(mounted ? 1 : 0);
    }
    int status = 0;
    ::waitpid(init, &status, 0);
    ::_exit(WEXITSTATUS(status));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WEXITSTATUS(status) == 0 ? "" : "a whole procfs is still reachable";
}

std::string check_engine_root(const TemporaryTree& tree) {
  EXPECT_TEXT(std::filesystem::current_path().string(), "/");
  EXPECT_TEXT(content("/marker"), "container");
  EXPECT_TEXT(content("/etc/hosts"), "hosts");
  EXPECT(!std::filesystem::exists(tree.at("root")));
  EXPECT(!std::filesystem::exists("/../marker2"));
  EXPECT(error_of_writing("/sys/new") == EROFS || error_of_writing("/sys/new") == EACCES);
  EXPECT(error_of_writing("/dev/shm/new") == 0);
  const std::string mounts = content("/proc/self/mountinfo");
  EXPECT(mounts.find(" - tmpfs shm ") != std::string::npos);
  EXPECT(mounts.find(" - proc proc ") != std::string::npos);
  EXPECT(mounts.find(tree.at("root").string() + "/") == std::string::npos);
  EXPECT(mounts.find("shared:") == std::string::npos);
  EXPECT(mounts_on_root() == 1);
  return try_procfs_in_user_namespace();
}

struct Fixture {
  TemporaryTree tree;
  Rootfs plan;
  Fixture() {
    tree.file("root/marker", "container").file("files/hosts", "hosts").file("marker2");
    plan = engine_plan(tree);
  }
};

}  // namespace

TEST_CASE("the root of an engine's configuration is built and the host's is gone") {
  Fixture fixture;
  CHECK(in_namespaces([&] {
          EXPECT_TEXT(build_text(fixture.plan), "");
          return check_engine_root(fixture.tree);
        }) == "");
}

TEST_CASE("no descriptor of a place below a mask or a read-only mount is left") {
  Fixture fixture;
  fixture.plan.mounts[5].attributes.set |= MOUNT_ATTR_RDONLY;
  CHECK(in_namespaces([&] {
          const auto open_descriptors = [] {
            std::vector<int> open;
            for (int fd = 0; fd < 512; ++fd) {
              if (::fcntl(fd, F_GETFD) >= 0) {
                open.push_back(fd);
              }
            }
            return open;
          };
          const std::vector<int> before = open_descriptors();
          berth::rootfs::RootfsBuilder builder(fixture.plan, user_namespace_options());
          EXPECT_OK(build(builder));
          std::vector<int> expected = before;
          expected.push_back(builder.root().fd());
          std::ranges::sort(expected);
          EXPECT(open_descriptors() == expected);
          return std::string();
        }) == "");
}

TEST_CASE("without pivot_root the root is moved, and the host's procfs and sysfs are out of reach") {
  Fixture fixture;
  CHECK(in_namespaces([&] {
          auto options = user_namespace_options();
          options.no_pivot = true;
          EXPECT_TEXT(build_text(fixture.plan, options), "");
          return check_engine_root(fixture.tree);
        }) == "");
}

TEST_CASE("without a mount namespace there is a change of the root and nothing else") {
  Fixture fixture;
  auto options = user_namespace_options();
  options.mount_namespace = false;
  CHECK(in_namespaces([&] {
          EXPECT_TEXT(build_text(fixture.plan, options),
                      "/mounts: needs a mount namespace of the container's own in /linux/namespaces");
          Rootfs plain = plan_for(fixture.tree);
          const std::string before = content("/proc/self/mountinfo");
          const berth::sys::UniqueFd proc(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
          EXPECT_TEXT(build_text(plain, options), "");
          EXPECT_TEXT(content("/marker"), "container");
          EXPECT_TEXT(std::filesystem::current_path().string(), "/");
          std::string after(before.size() + 1, '\0');
          EXPECT(::read(proc.get(), after.data(), after.size()) > 0);
          return std::string();
        }) == "");
}

TEST_CASE("a rootfs that does not exist is named") {
  TemporaryTree tree;
  CHECK(in_namespaces([&] {
          EXPECT_TEXT(build_text(plan_for(tree)),
                      "/root/path: open(" + tree.at("root").string() + "): No such file or directory");
          return std::string();
        }) == "");
}

TEST_CASE("the file mode mask does not reach what is made") {
  Fixture fixture;
  CHECK(in_namespaces([&] {
          ::umask(077);
          EXPECT_TEXT(build_text(fixture.plan), "");
          struct stat status {};
          EXPECT(::stat("/etc", &status) == 0 && status.st_mode == (S_IFDIR | 0755));
          EXPECT(::stat("/dev/mqueue", &status) == 0);
          EXPECT(::umask(0) == 077);
          return std::string();
        }) == "");
}
