#include <linux/mempolicy.h>
#include <linux/sched.h>
#include <sys/personality.h>

#include <catch2/catch.hpp>

#include "plan/lowered.hpp"

namespace berth::plan {
namespace {

std::string scheduler(const std::string& members) {
  return "\"scheduler\": {" + members + "}";
}
std::string policy(const std::string& members) {
  return "\"memoryPolicy\": {" + members + "}";
}

TEST_CASE("Schedulers") {
  const auto plan = [](const std::string& members) {
    return plan_of({.process = scheduler(members)}).process.scheduler.value();
  };
  CHECK(plan(R"("policy": "SCHED_OTHER", "nice": -20)").policy == SCHED_NORMAL);
  CHECK(plan(R"("policy": "SCHED_OTHER", "nice": -20)").nice == -20);
  CHECK(plan(R"("policy": "SCHED_BATCH", "priority": 0)").policy == SCHED_BATCH);
  CHECK(plan(R"("policy": "SCHED_IDLE")").policy == SCHED_IDLE);
  CHECK(plan(R"("policy": "SCHED_FIFO", "priority": 99)").priority == 99);
  CHECK(plan(R"("policy": "SCHED_RR", "priority": 1)").policy == SCHED_RR);
  const Scheduler deadline = plan(R"("policy": "SCHED_DEADLINE", "runtime": 1024, "deadline": 2000, "period": 2000,
      "flags": ["SCHED_FLAG_RECLAIM", "SCHED_FLAG_DL_OVERRUN", "SCHED_FLAG_RESET_ON_FORK"])");
  CHECK(deadline.policy == SCHED_DEADLINE);
  CHECK(deadline.flags == (SCHED_FLAG_RECLAIM | SCHED_FLAG_DL_OVERRUN | SCHED_FLAG_RESET_ON_FORK));
  CHECK(deadline.runtime == 1024);
  CHECK(plan(R"("policy": "SCHED_DEADLINE", "runtime": 1024, "deadline": 2000)").period == 0);
}

TEST_CASE("Schedulers that cannot be are refused") {
  for (const auto& [members, expected] :
       {std::pair{R"("policy": "SCHED_ISO")", "policy: got \"SCHED_ISO\", expected one of SCHED_BATCH"},
        std::pair{R"("policy": "SCHED_OTHER", "flags": ["X"])", "flags/0: got \"X\""},
        std::pair{R"("policy": "SCHED_OTHER", "nice": 20)", "nice: got 20"},
        std::pair{R"("policy": "SCHED_OTHER", "nice": -21)", "nice: got -21"},
        std::pair{R"("policy": "SCHED_OTHER", "priority": 1)",
                  "priority: got 1, expected 0 or nothing with SCHED_OTHER"},
        std::pair{R"("policy": "SCHED_FIFO")", "priority: got 0, expected an integer from 1 to 99"},
        std::pair{R"("policy": "SCHED_RR", "priority": 100)", "priority: got 100"},
        std::pair{R"("policy": "SCHED_RR", "priority": -1)", "priority: got -1"},
        std::pair{R"("policy": "SCHED_IDLE", "runtime": 5)", "runtime: got 5, expected nothing with SCHED_IDLE"},
        std::pair{R"("policy": "SCHED_IDLE", "period": 5)", "period: got 5"},
        std::pair{R"("policy": "SCHED_DEADLINE")", "runtime: got 0"},
        std::pair{R"("policy": "SCHED_DEADLINE", "runtime": 1023, "deadline": 2000)", "runtime: got 1023"},
        std::pair{R"("policy": "SCHED_DEADLINE", "runtime": 3000, "deadline": 2000)", "deadline: got 2000"},
        std::pair{R"("policy": "SCHED_DEADLINE", "runtime": 1024, "deadline": 9223372036854775808)", "deadline: got"},
        std::pair{R"("policy": "SCHED_DEADLINE", "runtime": 1024, "deadline": 3000, "period": 2000)",
                  "period: got 2000"}}) {
    INFO(members);
    CHECK_THAT(error_of({.process = scheduler(members)}),
               Catch::StartsWith("/process/scheduler/" + std::string(expected)));
  }
}

TEST_CASE("Io priorities") {
  const auto priority = [](const std::string& name, int number) {
    return R"("ioPriority": {"class": ")" + name + R"(", "priority": )" + std::to_string(number) + "}";
  };
  CHECK(plan_of({.process = priority("IOPRIO_CLASS_RT", 0)}).process.io_priority.value().io_class == 1);
  CHECK(plan_of({.process = priority("IOPRIO_CLASS_BE", 7)}).process.io_priority.value().io_class == 2);
  CHECK(plan_of({.process = priority("IOPRIO_CLASS_BE", 7)}).process.io_priority.value().priority == 7);
  CHECK(plan_of({.process = priority("IOPRIO_CLASS_IDLE", 0)}).process.io_priority.value().io_class == 3);
  CHECK_THAT(error_of({.process = priority("IOPRIO_CLASS_NONE", 0)}),
             Catch::StartsWith("/process/ioPriority/class: got"));
  CHECK_THAT(error_of({.process = priority("IOPRIO_CLASS_BE", 8)}),
             Catch::StartsWith("/process/ioPriority/priority: got 8"));
  CHECK_THAT(error_of({.process = priority("IOPRIO_CLASS_BE", -1)}),
             Catch::StartsWith("/process/ioPriority/priority: got -1"));
}

TEST_CASE("Personalities") {
  CHECK(plan_of({.linux_block = R"("personality": {"domain": "LINUX"})"}).process.personality ==
        std::uint32_t{PER_LINUX});
  CHECK(plan_of({.linux_block = R"("personality": {"domain": "LINUX32"})"}).process.personality ==
        std::uint32_t{PER_LINUX32});
  CHECK_THAT(error_of({.linux_block = R"("personality": {})"}),
             Catch::StartsWith("/linux/personality/domain: got \"\""));
  CHECK_THAT(error_of({.linux_block = R"("personality": {"domain": "LINUX", "flags": ["x"]})"}),
             Catch::StartsWith("/linux/personality/flags: got \"x\""));
}

TEST_CASE("Memory policies") {
  struct Case {
    std::string name;
    int mode;
  };
  for (const Case& entry :
       {Case{"BIND", MPOL_BIND}, Case{"INTERLEAVE", MPOL_INTERLEAVE}, Case{"PREFERRED", MPOL_PREFERRED},
        Case{"PREFERRED_MANY", MPOL_PREFERRED_MANY}, Case{"WEIGHTED_INTERLEAVE", 6}}) {
    INFO(entry.name);
    const MemoryPolicy plan = plan_of({.linux_block = policy("\"mode\": \"MPOL_" + entry.name + R"(", "nodes": "0,2-3",
                                       "flags": ["MPOL_F_STATIC_NODES"])")})
                                  .process.memory_policy.value();
    CHECK(plan.mode == (entry.mode | MPOL_F_STATIC_NODES));
    CHECK(plan.nodes == std::vector<unsigned>{0, 2, 3});
  }
  CHECK(plan_of({.linux_block = policy(R"("mode": "MPOL_DEFAULT")")}).process.memory_policy.value().mode ==
        MPOL_DEFAULT);
  CHECK(plan_of({.linux_block = policy(R"("mode": "MPOL_LOCAL")")}).process.memory_policy.value().mode == MPOL_LOCAL);
  CHECK(plan_of({.linux_block = policy(R"("mode": "MPOL_PREFERRED")")}).process.memory_policy.value().nodes.empty());
}

TEST_CASE("Memory policies that cannot be are refused") {
  for (const auto& [members, expected] :
       {std::pair{R"("nodes": "0")", "mode: got \"\""}, std::pair{R"("mode": "BIND")", "mode: got \"BIND\""},
        std::pair{R"("mode": "MPOL_BIND")", "nodes: got nothing"},
        std::pair{R"("mode": "MPOL_BIND", "nodes": "0-")", "nodes: got \"0-\""},
        std::pair{R"("mode": "MPOL_BIND", "nodes": "1024")", "nodes: got \"1024\""},
        std::pair{R"("mode": "MPOL_LOCAL", "nodes": "0")", "nodes: got \"0\", expected nothing with MPOL_LOCAL"},
        std::pair{R"("mode": "MPOL_BIND", "nodes": "0", "flags": ["X"])", "flags/0: got \"X\""},
        std::pair{R"("mode": "MPOL_DEFAULT", "flags": ["MPOL_F_STATIC_NODES"])", "flags: got \"MPOL_F_STATIC_NODES\""},
        std::pair{R"("mode": "MPOL_PREFERRED", "flags": ["MPOL_F_STATIC_NODES"])", "flags: got"},
        std::pair{R"("mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"])",
                  "flags: got \"MPOL_F_STATIC_NODES, MPOL_F_RELATIVE_NODES\""},
        std::pair{R"("mode": "MPOL_INTERLEAVE", "nodes": "0", "flags": ["MPOL_F_NUMA_BALANCING"])", "flags: got"}}) {
    INFO(members);
    CHECK_THAT(error_of({.linux_block = policy(members)}),
               Catch::StartsWith("/linux/memoryPolicy/" + std::string(expected)));
  }
}

TEST_CASE("The affinity of exec is a list of cpus") {
  CHECK(error_of({.process = R"("execCPUAffinity": {"initial": "0-3, 7", "final": ""})"}).empty());
  CHECK_THAT(error_of({.process = R"("execCPUAffinity": {"initial": "x"})"}),
             Catch::StartsWith("/process/execCPUAffinity/initial: got \"x\", expected numbers and ranges"));
  CHECK_THAT(error_of({.process = R"("execCPUAffinity": {"final": "3-1"})"}),
             Catch::StartsWith("/process/execCPUAffinity/final: got \"3-1\""));
}

}  // namespace
}  // namespace berth::plan
