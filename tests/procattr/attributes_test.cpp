#include <berth/procattr/attributes.hpp>

#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "in_child.hpp"

using namespace berth;
using test::in_child;

namespace {

// What `look` sees after the attributes were applied, or the error.
template <class Look>
std::string after(const plan::Process& process, Look look) {
  return in_child([&] {
    const Status status = procattr::apply(process);
    return status ? std::string(look()) : status.error().message();
  });
}

std::string limits(int resource) {
  rlimit limit{};
  ::getrlimit(static_cast<__rlimit_resource_t>(resource), &limit);
  return fmt::format("{} {}", limit.rlim_cur, limit.rlim_max);
}

std::string oom_score(int wanted) {
  return in_child([&] {
    const Result<path::ProcDir> proc = path::ProcDir::open();
    const Status status = procattr::set_oom_score(proc.value(), wanted);
    if (!status) {
      return status.error().message();
    }
    int now = 0;
    std::ifstream("/proc/self/oom_score_adj") >> now;
    return fmt::format("{}", now);
  });
}

}  // namespace

TEST_CASE("limits are set in the order given") {
  plan::Process process;
  process.rlimits = {{RLIMIT_NOFILE, 50, 60}, {RLIMIT_CORE, 0, 0}, {RLIMIT_NOFILE, 40, 55}};
  CHECK(after(process, [] { return limits(RLIMIT_NOFILE) + ", " + limits(RLIMIT_CORE); }) == "40 55, 0 0");
}

TEST_CASE("a hard limit that may not be raised says what is missing") {
  plan::Process process;
  process.rlimits = {{RLIMIT_NPROC, 10, 20}, {RLIMIT_NPROC, 10, RLIM64_INFINITY}};
  const std::string outcome = after(process, [] { return "raised"; });
  if (outcome == "raised") {
    WARN("skipped: this process has CAP_SYS_RESOURCE");
    return;
  }
  CHECK(outcome ==
        "setrlimit(RLIMIT_NPROC, soft 10, hard unlimited): Operation not permitted (raising the hard limit above 20 "
        "needs CAP_SYS_RESOURCE)");
}

TEST_CASE("a soft limit above the hard one is refused") {
  plan::Process process;
  process.rlimits = {{RLIMIT_CORE, 2, 1}};
  CHECK(after(process, [] { return "set"; }) == "setrlimit(RLIMIT_CORE, soft 2, hard 1): Invalid argument");
}

TEST_CASE("scheduler and io priority are the process's afterwards") {
  plan::Process process;
  process.scheduler = plan::Scheduler{.policy = SCHED_BATCH, .flags = 0, .nice = 7};
  process.io_priority = plan::IoPriority{.io_class = 2, .priority = 6};
  CHECK(after(process, [] {
          return fmt::format("{} {} {}", ::sched_getscheduler(0), ::getpriority(PRIO_PROCESS, 0),
                             ::syscall(SYS_ioprio_get, 1, 0));
        }) == fmt::format("{} 7 {}", SCHED_BATCH, 2 << 13 | 6));
}

TEST_CASE("a scheduler that does not fit says why") {
  plan::Process process;
  process.scheduler = plan::Scheduler{.policy = 6, .flags = 0, .nice = 0, .priority = 0, .runtime = 9, .deadline = 1};
  CHECK_THAT(after(process, [] { return "set"; }),
             Catch::StartsWith("sched_setattr(policy 6") && Catch::Contains("Invalid argument (runtime <= deadline"));
}

TEST_CASE("personality") {
  plan::Process process;
  process.personality = PER_LINUX32;
  CHECK(after(process, [] { return fmt::format("{}", ::personality(0xffffffff)); }) == fmt::format("{}", PER_LINUX32));
}

TEST_CASE("memory policy: node 0 is there, node 1023 is not") {
  plan::Process process;
  process.memory_policy = plan::MemoryPolicy{.mode = MPOL_BIND, .nodes = {0}};
  const std::string outcome = after(process, [] {
    int mode = -1;
    unsigned long nodes[16] = {};
    ::syscall(SYS_get_mempolicy, &mode, nodes, 8 * sizeof nodes, nullptr, 0);
    return fmt::format("{} {}", mode, nodes[0]);
  });
  if (outcome.find("without NUMA") != std::string::npos) {
    WARN("skipped: the kernel was built without NUMA");
    return;
  }
  CHECK(outcome == fmt::format("{} 1", static_cast<int>(MPOL_BIND)));
  process.memory_policy->nodes = {1023};
  CHECK_THAT(after(process, [] { return "set"; }), Catch::StartsWith("set_mempolicy(mode 0x2, nodes 1023): Invalid"));
  process.memory_policy = plan::MemoryPolicy{.mode = MPOL_DEFAULT, .nodes = {}};
  CHECK(after(process, [] { return "set"; }) == "set");
}

TEST_CASE("the oom score is raised, and written only if it differs") {
  int own = 0;
  std::ifstream("/proc/self/oom_score_adj") >> own;
  CHECK(oom_score(own) == fmt::format("{}", own));
  CHECK(oom_score(own + 17) == fmt::format("{}", own + 17));
}

TEST_CASE("an oom score that may not be lowered says why") {
  const std::string outcome = oom_score(-1000);
  if (outcome == "-1000") {
    WARN("skipped: this process has CAP_SYS_RESOURCE");
    return;
  }
  CHECK_THAT(outcome, Catch::Contains("Permission denied (it is ") && Catch::Contains("needs CAP_SYS_RESOURCE)"));
}
