// With real cgroups, which need root and a writable cgroup file system; each test says why where it cannot run.
#include <berth/cgroup/cgroup.hpp>
#include <berth/sys/file.hpp>
#include <berth/sys/process.hpp>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <functional>
#include <optional>

#include "cgroup/place.hpp"

using namespace berth;
using namespace berth::cgroup;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

std::string test_root() {
  return "/berth-unit-test-" + std::to_string(::getpid());
}

bool exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

bool any_exists(const Placement& placement) {
  for (const Directory& directory : placement.directories) {
    if (exists(directory.path)) {
      return true;
    }
  }
  return false;
}

// Where the tests may make cgroups; nothing, with a warning, where they may not.
std::optional<Placement> host_placement(const std::string& name) {
  if (::geteuid() != 0) {
    WARN("skipped: making cgroups needs root");
    return {};
  }
  Result<Placement> placement = place(Manager::kCgroupfs, test_root() + "/" + name, "unused");
  if (!placement) {
    WARN("skipped: " << placement.error().message());
    return {};
  }
  for (const Directory& directory : placement->directories) {
    if (::access(hierarchy_root(*placement, directory).c_str(), W_OK) != 0) {
      WARN("skipped: " << directory.path << " cannot be made here");
      return {};
    }
  }
  return *placement;
}

std::string read_text(const std::string& path) {
  std::string text = sys::read_file(AT_FDCWD, path, 65536).value_or("(none)");
  text.erase(text.find_last_not_of('\n') + 1);
  return text;
}

// A child process that runs `body` once it is told to; ended and reaped with its owner.
class TestProcess {
 public:
  explicit TestProcess(const std::function<int()>& body) {
    int fds[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::signal(SIGTERM, SIG_DFL);  // Catch2 has a handler
      ::dup3(fds[0], STDIN_FILENO, 0);
      ::close_range(STDERR_FILENO + 1, ~0U, 0);  // the cgroup's lock too, as execve does
      char byte = 0;
      const bool told = ::write(STDIN_FILENO, "r", 1) == 1 && ::read(STDIN_FILENO, &byte, 1) == 1;
      ::_exit(told ? body() : 0);
    }
    ::close(fds[0]);
    go_ = sys::UniqueFd(fds[1]);
    char ready = 0;
    REQUIRE(::read(go_.get(), &ready, 1) == 1);
  }
  TestProcess(const TestProcess&) = delete;
  TestProcess& operator=(const TestProcess&) = delete;
  ~TestProcess() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      wait();
    }
  }
  [[nodiscard]] pid_t pid() const { return pid_; }
  void start() { REQUIRE(::write(go_.get(), "x", 1) == 1); }
  // Exit status as a shell has it; -1 if it does not end (a frozen process of v1 does not, even by SIGKILL).
  int wait() {
    int status = 0;
    for (int tries = 0; tries < 5000; ++tries) {
      if (::waitpid(pid_, &status, WNOHANG) == pid_) {
        pid_ = -1;
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
      }
      ::usleep(1000);
    }
    return -1;
  }
  int run() {
    start();
    return wait();
  }

 private:
  pid_t pid_ = -1;
  sys::UniqueFd go_;
};

int sleep_for_ever() {
  for (;;) {
    ::pause();
  }
}

// errno of opening it, 0 if that worked.
int open_error(const char* path) {
  const int fd = ::open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  const int result = fd < 0 ? errno : 0;
  ::close(fd);
  return result;
}

plan::DeviceRule allow(std::uint32_t major, std::uint32_t minor) {
  return {.allow = true, .type = 'c', .major = major, .minor = minor, .read = true, .write = true, .mknod = true};
}

}  // namespace

TEST_CASE("limits can be read back from a v1 host's files", "[host]") {
  const auto placement = host_placement("limits");
  if (!placement) {
    return;
  }
  plan::Resources resources;
  resources.memory.limit = 64L << 20;
  resources.memory.swap = 128L << 20;
  resources.cpu.shares = 512;
  resources.cpu.period = 50000;
  resources.cpu.quota = 25000;
  resources.cpu.cpus = "0";
  resources.pids_limit = 0;
  if (const Status checked = Cgroup::check(*placement, resources); !checked) {
    WARN("skipped: " << checked.error().message());
    return;
  }
  if (find_directory(*placement, "memory") == nullptr) {
    WARN("skipped: no v1 memory hierarchy");
    return;
  }
  Cgroup cgroup = Cgroup::create(*placement).value();
  const Status applied = cgroup.apply(resources);
  REQUIRE((applied || applied.error().message().empty()));
  const auto text = [&](const char* controller, const char* file) {
    return read_text(find_directory(*placement, controller)->path + "/" + file);
  };
  CHECK(text("memory", "memory.limit_in_bytes") == "67108864");
  CHECK(text("memory", "memory.memsw.limit_in_bytes") == "134217728");
  CHECK(text("cpu", "cpu.shares") == "512");
  CHECK(text("cpu", "cpu.cfs_period_us") == "50000");
  CHECK(text("cpu", "cpu.cfs_quota_us") == "25000");
  CHECK(text("cpuset", "cpuset.cpus") == "0");
  CHECK(text("pids", "pids.max") == "0");
  CHECK(cgroup.clone_fd() == -1);  // clone3 into it would fail, moving works
  TestProcess process([] { return ::fork() < 0 && errno == EAGAIN ? 0 : 1; });
  REQUIRE(cgroup.add(process.pid(), false));
  CHECK(process.run() == 0);

  // Raising and lowering, in whichever order the kernel takes them.
  for (const std::int64_t megabytes : {512L, 16L, 256L}) {
    resources.memory.limit = megabytes << 20;
    resources.memory.swap = *resources.memory.limit;
    REQUIRE(cgroup.apply(resources));
    CHECK(text("memory", "memory.memsw.limit_in_bytes") == std::to_string(megabytes << 20));
  }
  REQUIRE(cgroup.remove(seconds(2)));
  CHECK_FALSE(any_exists(*placement));
}

TEST_CASE("limits of cgroup2 are written beside v1 too", "[host]") {
  const auto placement = host_placement("deep/limits");
  if (!placement) {
    return;
  }
  plan::Resources resources;
  resources.hugepages = {{"2MB", 4UL << 20}};
  resources.unified = {{"cgroup.max.depth", "3"}};
  const Directory* unified = find_directory(*placement, "");
  if (const Status checked = Cgroup::check(*placement, resources); !checked) {
    WARN("skipped: " << checked.error().message());
    return;
  }
  if (find_directory(*placement, "hugetlb") != nullptr || unified == nullptr) {
    WARN("skipped: cgroup2 has no hugetlb");
    return;
  }
  Cgroup cgroup = Cgroup::create(*placement).value();
  REQUIRE(cgroup.apply(resources));
  CHECK(read_text(unified->path + "/hugetlb.2MB.max") == "4194304");
  CHECK(read_text(unified->path + "/hugetlb.2MB.rsvd.max") == "4194304");
  CHECK(read_text(unified->path + "/cgroup.max.depth") == "3");
  resources.hugepages = {{"3MB", 0}};
  const Status refused = cgroup.apply(resources);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message().find("limit /linux/resources/hugepageLimits/0: open(") != std::string::npos);
}

TEST_CASE("a container feels its device rules, also when they change", "[host]") {
  const auto placement = host_placement("devices");
  if (!placement) {
    return;
  }
  if (open_error("/dev/kmsg") != 0) {
    WARN("skipped: /dev/kmsg cannot be opened even here");
    return;
  }
  Cgroup cgroup = Cgroup::create(*placement).value();
  const auto in_container = [&](const char* path) {
    TestProcess process([=] { return open_error(path); });
    REQUIRE(cgroup.add(process.pid(), false));
    return process.run();
  };
  CHECK(in_container("/dev/kmsg") == 0);  // no rules yet
  plan::Resources resources;
  REQUIRE(cgroup.apply(resources));
  CHECK(in_container("/dev/kmsg") == EPERM);
  CHECK(in_container("/dev/null") == 0);
  resources.devices = {allow(1, 11)};
  REQUIRE(Cgroup::open(*placement).apply(resources));
  CHECK(in_container("/dev/kmsg") == 0);
  resources.devices = {allow(1, 12)};
  REQUIRE(Cgroup::open(*placement).apply(resources));
  CHECK(in_container("/dev/kmsg") == EPERM);
  // The verifier and the parser take long lists too.
  resources.devices.clear();
  for (std::uint32_t minor = 0; minor < 300; ++minor) {
    resources.devices.push_back(allow(200, minor));
    resources.devices.back().read = minor % 2 == 0;
  }
  REQUIRE(Cgroup::open(*placement).apply(resources));
  CHECK(in_container("/dev/kmsg") == EPERM);
  CHECK(in_container("/dev/zero") == 0);
  CHECK(cgroup.remove(seconds(2)));
}

TEST_CASE("freeze stops every process, thaw lets them go on", "[host]") {
  const auto placement = host_placement("freeze");
  if (!placement) {
    return;
  }
  Cgroup cgroup = Cgroup::create(*placement).value();
  TestProcess process([] {
    ::signal(SIGTERM, [](int) { ::_exit(7); });  // cgroup2 ends a frozen process by a signal that nothing handles
    return sleep_for_ever();
  });
  REQUIRE(cgroup.add(process.pid(), false));
  process.start();
  ::usleep(20000);
  CHECK_FALSE(cgroup.frozen().value());
  REQUIRE(cgroup.freeze());
  CHECK(cgroup.frozen().value());
  CHECK(cgroup.processes().value() == std::vector<pid_t>{process.pid()});
  // A signal other than SIGKILL waits, and the cgroup stays as it was.
  REQUIRE(cgroup.kill(SIGTERM));
  CHECK(cgroup.frozen().value());
  CHECK(::waitpid(process.pid(), nullptr, WNOHANG) == 0);
  REQUIRE(cgroup.thaw());
  CHECK(process.wait() == 7);
  CHECK_FALSE(cgroup.frozen().value());
  CHECK(cgroup.remove(seconds(2)));
}

TEST_CASE("SIGKILL reaches all processes of a cgroup that is frozen or forks", "[host]") {
  const auto placement = host_placement("kill");
  if (!placement) {
    return;
  }
  for (const bool frozen : {false, true}) {
    // Without the cgroup2 directory, as on a pure v1 host: the freezer and a list have to do.
    for (const bool with_unified : {true, false}) {
      Placement used = *placement;
      if (!with_unified) {
        std::erase_if(used.directories, [](const Directory& directory) { return directory.hierarchy.empty(); });
      }
      if (used.directories.empty()) {
        continue;
      }
      CAPTURE(frozen, with_unified);
      Cgroup cgroup = Cgroup::create(used).value();
      TestProcess process([] {
        ::signal(SIGCHLD, SIG_IGN);
        for (int i = 0; i < 20; ++i) {
          if (::fork() == 0) {
            for (;;) {  // keeps forking children that end soon
              if (::fork() == 0) {
                ::usleep(500);
                ::_exit(0);
              }
              ::usleep(200);
            }
          }
        }
        return sleep_for_ever();
      });
      REQUIRE(cgroup.add(process.pid(), false));
      process.start();
      ::usleep(30000);
      if (frozen) {
        REQUIRE(cgroup.freeze());
      }
      const Status killed = Cgroup::open(used).kill(SIGKILL);
      REQUIRE((killed || killed.error().message().empty()));
      CHECK(process.wait() == 128 + SIGKILL);
      const Status removed = cgroup.remove(seconds(5));
      REQUIRE((removed || removed.error().message().empty()));
      CHECK_FALSE(any_exists(used));
    }
  }
}

TEST_CASE("a process is in every hierarchy, whether it was cloned into cgroup2 or moved", "[host]") {
  const auto placement = host_placement("clone");
  if (!placement) {
    return;
  }
  Cgroup cgroup = Cgroup::create(*placement).value();
  for (const bool clone_into : {true, false}) {
    CAPTURE(clone_into);
    if (clone_into && cgroup.clone_fd() < 0) {
      WARN("skipped in part: no cgroup2 here to clone into");
      continue;
    }
    auto cloned = sys::clone_process(0, clone_into ? cgroup.clone_fd() : -1);
    if (cloned && !*cloned) {
      sleep_for_ever();
    }
    REQUIRE(cloned);
    const sys::Child child(std::move(**cloned));
    if (clone_into) {
      CHECK(cgroup.processes().value() == std::vector<pid_t>{child.pid()});
    }
    REQUIRE(cgroup.add(child.pid(), clone_into));
    for (const Directory& directory : placement->directories) {
      CAPTURE(directory.hierarchy);
      CHECK(read_text(directory.path + "/cgroup.procs") == std::to_string(child.pid()));
    }
  }
  CHECK(cgroup.remove(seconds(2)));
}

TEST_CASE("child cgroups are listed, killed and removed with their parent", "[host]") {
  const auto placement = host_placement("nested");
  if (!placement) {
    return;
  }
  Cgroup cgroup = Cgroup::create(*placement).value();
  Placement child = *placement;
  child.path += "/child/grandchild";
  for (Directory& directory : child.directories) {
    directory.path += "/child/grandchild";
  }
  Cgroup inner = Cgroup::create(child).value();
  inner.release();
  TestProcess process(sleep_for_ever);
  REQUIRE(inner.add(process.pid(), false));
  process.start();
  CHECK(cgroup.processes().value() == std::vector<pid_t>{process.pid()});
  CHECK_FALSE(Cgroup::create(*placement));  // "not empty" looks below as well
  REQUIRE(inner.freeze());
  REQUIRE(cgroup.kill(SIGKILL));
  CHECK(process.wait() == 128 + SIGKILL);
  REQUIRE(cgroup.remove(seconds(2)));
  CHECK_FALSE(any_exists(*placement));
}

TEST_CASE("what create made is undone, what others made stays", "[host]") {
  const auto placement = host_placement("parent/undo");
  if (!placement) {
    return;
  }
  const auto parent = [&](const Directory& directory) { return directory.path.substr(0, directory.path.rfind('/')); };
  const Directory& first = placement->directories.front();
  { const Cgroup cgroup = Cgroup::create(*placement).value(); }
  CHECK_FALSE(any_exists(*placement));
  CHECK_FALSE(exists(parent(first)));

  {  // a process that is still in it is ended
    Cgroup cgroup = Cgroup::create(*placement).value();
    TestProcess process(sleep_for_ever);
    REQUIRE(cgroup.add(process.pid(), false));
    process.start();
  }
  CHECK_FALSE(any_exists(*placement));

  // An admin's parent and an empty cgroup in it.
  const std::string root = first.path.substr(0, first.path.find("/parent/"));
  REQUIRE(::mkdir(root.c_str(), 0755) == 0);
  REQUIRE(::mkdir(parent(first).c_str(), 0755) == 0);
  REQUIRE(::mkdir(first.path.c_str(), 0755) == 0);
  { const Cgroup cgroup = Cgroup::create(*placement).value(); }
  CHECK(exists(first.path));
  CHECK_FALSE(exists(placement->directories.back().path + (placement->directories.size() == 1 ? "x" : "")));
  REQUIRE(Cgroup::create(*placement).value().remove(seconds(1)));
  CHECK_FALSE(exists(first.path));
  CHECK(exists(parent(first)));
  CHECK(::rmdir(parent(first).c_str()) == 0);
  CHECK(::rmdir(root.c_str()) == 0);

  // Half way: the last hierarchy does not exist.
  Placement broken = *placement;
  broken.directories.push_back({"nowhere", "/sys/fs/cgroup-that-is-not-there" + broken.path});
  const Result<Cgroup> failed = Cgroup::create(broken);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().message().starts_with("create the cgroup: mkdir"));
  CHECK_FALSE(any_exists(*placement));
  CHECK_FALSE(exists(parent(first)));
}

TEST_CASE("a cgroup that is in use is refused", "[host]") {
  const auto placement = host_placement("in-use");
  if (!placement) {
    return;
  }
  Cgroup cgroup = Cgroup::create(*placement).value();
  const Result<Cgroup> second = Cgroup::create(*placement);  // a race for the same cgroupsPath
  REQUIRE_FALSE(second);
  CHECK(second.error().message().find("is being set up for another container") != std::string::npos);
  CHECK(any_exists(*placement));

  TestProcess process(sleep_for_ever);
  REQUIRE(cgroup.add(process.pid(), false));
  process.start();
  cgroup.release();
  { const Cgroup gone = std::move(cgroup); }  // and with it the lock
  const Result<Cgroup> third = Cgroup::create(*placement);
  REQUIRE_FALSE(third);
  CHECK(third.error().kind() == ErrorKind::kExists);
  CHECK(third.error().message().find("is not empty: it has process " + std::to_string(process.pid())) !=
        std::string::npos);

  const auto start = std::chrono::steady_clock::now();
  const Status removed = Cgroup::open(*placement).remove(milliseconds(100));
  REQUIRE_FALSE(removed);
  CHECK(removed.error().message().find("still in use by process " + std::to_string(process.pid())) !=
        std::string::npos);
  CHECK(std::chrono::steady_clock::now() - start < seconds(2));
  REQUIRE(Cgroup::open(*placement).kill(SIGKILL));
  CHECK(Cgroup::open(*placement).remove(seconds(2)));
  CHECK(Cgroup::open(*placement).remove(seconds(2)));  // nothing left is no error
  CHECK_FALSE(any_exists(*placement));
}

TEST_CASE("remove waits for a process that ends later", "[host]") {
  const auto placement = host_placement("later");
  if (!placement) {
    return;
  }
  Cgroup cgroup = Cgroup::create(*placement).value();
  TestProcess process([] { return ::usleep(100000); });
  REQUIRE(cgroup.add(process.pid(), false));
  process.start();
  CHECK(cgroup.remove(seconds(5)));
  CHECK_FALSE(any_exists(*placement));
}

TEST_CASE("containers that come and go below one parent do not disturb each other", "[host]") {
  if (!host_placement("x")) {
    return;
  }
  constexpr int kLoops = 100;
  const std::string root = test_root();
  std::vector<std::unique_ptr<TestProcess>> processes;
  for (int i = 0; i < 4; ++i) {
    processes.push_back(std::make_unique<TestProcess>([=] {
      const Placement placement = place(Manager::kCgroupfs, root + "/a/b/c" + std::to_string(i), "").value();
      for (int loop = 0; loop < kLoops; ++loop) {
        Result<Cgroup> cgroup = Cgroup::create(placement);
        if (!cgroup) {
          fmt::print(stderr, "{}\n", cgroup.error().message());
          return 1;
        }
        for (const Status& done : {cgroup->apply({}), cgroup->remove(seconds(5))}) {
          if (!done) {
            fmt::print(stderr, "{}\n", done.error().message());
            return 1;
          }
        }
      }
      return 0;
    }));
  }
  for (const auto& process : processes) {
    process->start();
  }
  for (const auto& process : processes) {
    CHECK(process->wait() == 0);
  }
  CHECK_FALSE(any_exists(place(Manager::kCgroupfs, root, "").value()));
}
