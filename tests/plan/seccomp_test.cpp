#include <linux/seccomp.h>

#include <catch2/catch.hpp>

#include "plan/lowered.hpp"

namespace berth::plan {
namespace {

std::string seccomp(const std::string& members) {
  return R"("seccomp": {"defaultAction": "SCMP_ACT_ERRNO")" + (members.empty() ? "" : ", " + members) + "}";
}
std::string rule(const std::string& members) {
  return seccomp(R"("syscalls": [{"names": ["write"], )" + members + "}]");
}
Seccomp plan_with(const std::string& linux_block) {
  return plan_of({.linux_block = linux_block}).seccomp.value();
}

TEST_CASE("Every action") {
  struct Case {
    std::string name;
    SeccompAction action;
  };
  const std::string listener = R"("listenerPath": "/l")";
  for (const Case& entry :
       {Case{"NOTIFY", SeccompAction::kNotify}, Case{"KILL", SeccompAction::kKillThread},
        Case{"KILL_THREAD", SeccompAction::kKillThread}, Case{"KILL_PROCESS", SeccompAction::kKillProcess},
        Case{"TRAP", SeccompAction::kTrap}, Case{"ERRNO", SeccompAction::kErrno}, Case{"TRACE", SeccompAction::kTrace},
        Case{"LOG", SeccompAction::kLog}, Case{"ALLOW", SeccompAction::kAllow}}) {
    INFO(entry.name);
    const std::string action = "SCMP_ACT_" + entry.name + "\"";
    CHECK(plan_with("\"seccomp\": {\"defaultAction\": \"" + action + ", " + listener + "}").default_action ==
          entry.action);
    const std::string one = R"("syscalls": [{"names": ["write"], "action": ")" + action + "}]";
    CHECK(plan_with(seccomp(one + ", " + listener)).rules.at(0).action == entry.action);
  }
}

TEST_CASE("Every operator, and the mask before the value") {
  struct Case {
    std::string name;
    SeccompOperator op;
  };
  for (const Case& entry :
       {Case{"NE", SeccompOperator::kNe}, Case{"LT", SeccompOperator::kLt}, Case{"LE", SeccompOperator::kLe},
        Case{"EQ", SeccompOperator::kEq}, Case{"GE", SeccompOperator::kGe}, Case{"GT", SeccompOperator::kGt},
        Case{"MASKED_EQ", SeccompOperator::kMaskedEq}}) {
    INFO(entry.name);
    const SeccompArgument argument =
        plan_with(
            rule(R"("action": "SCMP_ACT_ALLOW", "args": [{"index": 5, "value": 18446744073709551615, "valueTwo": 7,
                          "op": "SCMP_CMP_)" +
                 entry.name + "\"}]"))
            .rules.at(0)
            .arguments.at(0);
    CHECK(argument.op == entry.op);
    CHECK(argument.index == 5);
    CHECK(argument.value == UINT64_MAX);
    CHECK(argument.value_two == 7);
  }
}

TEST_CASE("Numbers that a filter returns") {
  CHECK(plan_with(seccomp("")).default_errno_return == 1);
  CHECK(plan_with(seccomp("\"defaultErrnoRet\": 38")).default_errno_return == 38);
  CHECK(plan_with(seccomp("\"defaultErrnoRet\": 4095")).default_errno_return == 4095);
  CHECK(plan_with(rule("\"action\": \"SCMP_ACT_ERRNO\"")).rules.at(0).errno_return == 1);
  CHECK(plan_with(rule("\"action\": \"SCMP_ACT_ERRNO\", \"errnoRet\": 0")).rules.at(0).errno_return == 0);
  CHECK(plan_with(rule("\"action\": \"SCMP_ACT_TRACE\", \"errnoRet\": 65535")).rules.at(0).errno_return == 65535);
}

TEST_CASE("Flags and architectures") {
  const Seccomp plan = plan_with(seccomp(R"("flags": ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC",
      "SECCOMP_FILTER_FLAG_SPEC_ALLOW"], "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_RISCV64"])"));
  CHECK(plan.flags == (SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_SPEC_ALLOW));
  CHECK(plan.architectures == std::vector<std::string>{"SCMP_ARCH_X86_64", "SCMP_ARCH_RISCV64"});
  CHECK(plan.rules.empty());
  CHECK(plan_with(seccomp("\"flags\": []")).flags == 0);
  CHECK(plan_with(seccomp("")).flags == SECCOMP_FILTER_FLAG_SPEC_ALLOW);
}

TEST_CASE("Where notifications go") {
  CHECK(plan_with(seccomp(R"("listenerPath": "/l", "listenerMetadata": "m")")).listener_metadata == "m");
  Parts parts{.top = R"("annotations": {"run.oci.seccomp.receiver": "/other"})",
              .linux_block = seccomp(R"("listenerPath": "/l")")};
  CHECK(plan_of(parts).seccomp.value().listener_path == "/l");
  parts.linux_block = seccomp("");
  CHECK(plan_of(parts).seccomp.value().listener_path == "/other");
}

TEST_CASE("A compiled filter counts in place of the profile") {
  const auto with = [](const std::string& text) {
    return Parts{.top = R"("annotations": {"run.oci.seccomp_bpf_data": ")" + text + "\"}",
                 .linux_block = seccomp(R"("flags": ["NO"])")};
  };
  const Seccomp plan = plan_of(with("BgAAAAAA/38=")).seccomp.value();
  REQUIRE(plan.program.size() == 1);
  CHECK(plan.program[0].code == 6);
  CHECK(plan.program[0].k == SECCOMP_RET_ALLOW);
  for (const char* text : {"", "BgAAAAAA/38", "BgAAAAAA/3==", "BgAAAAAA/38=BgAAAAAA/38=", "BgAAAAAA_38=", "===="}) {
    INFO(text);
    CHECK_THAT(error_of(with(text)), Catch::StartsWith("/annotations/run.oci.seccomp_bpf_data: got"));
  }
}

TEST_CASE("Filters that cannot be are refused") {
  for (const auto& [block, expected] :
       {std::pair{std::string(R"("seccomp": {"defaultAction": ""})"), "defaultAction: got \"\", expected one of"},
        std::pair{std::string(R"("seccomp": {"defaultAction": "SCMP_ACT_NOTIFY"})"), "listenerPath: got nothing"},
        std::pair{std::string(R"("seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1})"),
                  "defaultErrnoRet: got 1, expected nothing"},
        std::pair{seccomp("\"defaultErrnoRet\": 4096"), "defaultErrnoRet: got 4096"},
        std::pair{seccomp("\"architectures\": [\"x86\"]"), "architectures/0: got \"x86\""},
        std::pair{seccomp("\"flags\": [\"SECCOMP_FILTER_FLAG_NEW_LISTENER\"]"), "flags/0: got"},
        std::pair{seccomp("\"listenerPath\": \"l\""), "listenerPath: got \"l\", expected an absolute path"},
        std::pair{seccomp("\"listenerMetadata\": \"m\""), "listenerMetadata: got \"m\""},
        std::pair{rule("\"action\": \"SCMP_ACT_NOTIFY\""), "listenerPath: got nothing"},
        std::pair{rule("\"action\": \"ALLOW\""), "syscalls/0/action: got \"ALLOW\""},
        std::pair{rule("\"action\": \"SCMP_ACT_ALLOW\", \"errnoRet\": 1"), "syscalls/0/errnoRet: got 1"},
        std::pair{rule("\"action\": \"SCMP_ACT_KILL\", \"errnoRet\": 1"), "syscalls/0/errnoRet: got 1"},
        std::pair{rule("\"action\": \"SCMP_ACT_ERRNO\", \"errnoRet\": 4096"), "syscalls/0/errnoRet: got 4096"},
        std::pair{rule("\"action\": \"SCMP_ACT_TRACE\", \"errnoRet\": 65536"), "syscalls/0/errnoRet: got 65536"},
        std::pair{rule(R"("action": "SCMP_ACT_ALLOW", "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}])"),
                  "syscalls/0/args/0/index: got 6"},
        std::pair{rule(R"("action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 0, "op": "EQ"}])"),
                  "syscalls/0/args/0/op: got \"EQ\""},
        std::pair{seccomp(R"("syscalls": [{"names": [], "action": "SCMP_ACT_ALLOW"}])"), "syscalls/0/names: got"},
        std::pair{seccomp(R"("syscalls": [{"names": ["a", ""], "action": "SCMP_ACT_ALLOW"}])"),
                  "syscalls/0/names/1: got \"\""}}) {
    INFO(block);
    CHECK_THAT(error_of({.linux_block = block}), Catch::StartsWith("/linux/seccomp/" + std::string(expected)));
  }
}

}  // namespace
}  // namespace berth::plan
