#include <berth/security/seccomp.hpp>

#include <linux/audit.h>
#include <linux/netlink.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "security/classic_bpf.hpp"
#include "security/system_calls.hpp"

using namespace berth;
using plan::SeccompAction;
using plan::SeccompOperator;
using security::FilterProgram;
using test::run_filter;

namespace {

constexpr std::uint32_t kEnosys = SCMP_ACT_ERRNO(ENOSYS);
constexpr std::uint32_t kEperm = SCMP_ACT_ERRNO(EPERM);
constexpr std::uint32_t kX32 = 0x40000000;

using Arguments = std::array<std::uint64_t, 6>;

std::uint32_t verdict(const std::vector<sock_filter>& program, std::uint32_t arch, std::uint32_t number,
                      const Arguments& arguments = {}) {
  seccomp_data data = {.nr = static_cast<int>(number), .arch = arch, .instruction_pointer = 0, .args = {}};
  std::ranges::copy(arguments, std::begin(data.args));
  return run_filter(program, data);
}

std::uint32_t number_of(std::uint32_t token, const std::string& name) {
  const int number = ::seccomp_syscall_resolve_name_arch(token, name.c_str());
  REQUIRE(number >= 0);
  return static_cast<std::uint32_t>(number);
}

std::vector<sock_filter> compiled(const plan::Seccomp& seccomp) {
  const Result<FilterProgram> program = FilterProgram::compile(seccomp);
  INFO((program ? std::string() : program.error().message()));
  REQUIRE(program.has_value());
  return program->instructions();
}

plan::Seccomp denying(std::vector<plan::SeccompRule> rules) {
  plan::Seccomp seccomp;
  seccomp.default_action = SeccompAction::kErrno;
  seccomp.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
  seccomp.rules = std::move(rules);
  return seccomp;
}

plan::SeccompRule rule(std::vector<std::string> names, SeccompAction action = SeccompAction::kAllow,
                       std::vector<plan::SeccompArgument> arguments = {}, std::uint16_t errno_return = EPERM) {
  return {std::move(names), action, errno_return, std::move(arguments)};
}

plan::Seccomp profile(const std::string& name) {
  const auto document = nlohmann::json::parse(std::ifstream(BERTH_TEST_DATA "/profiles/" + name + ".json"));
  const std::map<std::string, SeccompAction> actions = {{"SCMP_ACT_ALLOW", SeccompAction::kAllow},
                                                        {"SCMP_ACT_ERRNO", SeccompAction::kErrno}};
  const std::map<std::string, SeccompOperator> operators = {{"SCMP_CMP_EQ", SeccompOperator::kEq},
                                                            {"SCMP_CMP_MASKED_EQ", SeccompOperator::kMaskedEq}};
  plan::Seccomp seccomp;
  seccomp.default_action = actions.at(document.at("defaultAction"));
  seccomp.default_errno_return = document.value("defaultErrnoRet", std::uint16_t{EPERM});
  seccomp.architectures = document.at("architectures");
  for (const auto& entry : document.at("syscalls")) {
    plan::SeccompRule parsed = rule(entry.at("names"), actions.at(entry.at("action")));
    parsed.errno_return = entry.value("errnoRet", std::uint16_t{EPERM});
    if (entry.contains("args")) {
      for (const auto& argument : entry.at("args")) {
        parsed.arguments.push_back({argument.at("index"), operators.at(argument.at("op")), argument.at("value"),
                                    argument.value("valueTwo", std::uint64_t{0})});
      }
    }
    seccomp.rules.push_back(std::move(parsed));
  }
  return seccomp;
}

// The whole profile through libseccomp alone, without what makes it fast here and without ENOSYS for new calls.
std::vector<sock_filter> by_libseccomp(const plan::Seccomp& seccomp) {
  const std::uint32_t default_action = security::action_value(seccomp.default_action, seccomp.default_errno_return);
  scmp_filter_ctx context = ::seccomp_init(default_action);
  for (const std::uint32_t token : std::initializer_list<std::uint32_t>{SCMP_ARCH_X86, SCMP_ARCH_X32}) {
    REQUIRE(::seccomp_arch_add(context, token) == 0);
  }
  const std::map<SeccompOperator, scmp_compare> operators = {{SeccompOperator::kEq, SCMP_CMP_EQ},
                                                             {SeccompOperator::kMaskedEq, SCMP_CMP_MASKED_EQ}};
  for (const plan::SeccompRule& entry : seccomp.rules) {
    const std::uint32_t action = security::action_value(entry.action, entry.errno_return);
    std::vector<scmp_arg_cmp> conditions;
    for (const plan::SeccompArgument& argument : entry.arguments) {
      conditions.push_back({argument.index, operators.at(argument.op), argument.value, argument.value_two});
    }
    for (const std::string& name : entry.names) {
      const int number = ::seccomp_syscall_resolve_name(name.c_str());
      if (number != __NR_SCMP_ERROR && action != default_action) {
        REQUIRE(::seccomp_rule_add_array(context, action, number, static_cast<unsigned>(conditions.size()),
                                         conditions.data()) == 0);
      }
    }
  }
  const int file = ::memfd_create("filter", 0);
  REQUIRE(::seccomp_export_bpf(context, file) == 0);
  ::seccomp_release(context);
  std::vector<sock_filter> program(static_cast<std::size_t>(::lseek(file, 0, SEEK_END)) / sizeof(sock_filter));
  REQUIRE(::pread(file, program.data(), program.size() * sizeof(sock_filter), 0) > 0);
  ::close(file);
  return program;
}

std::uint32_t newest_named(const plan::Seccomp& seccomp, std::uint32_t token) {
  int newest = 0;
  for (const plan::SeccompRule& entry : seccomp.rules) {
    for (const std::string& name : entry.names) {
      newest = std::max(newest, ::seccomp_syscall_resolve_name_arch(token, name.c_str()));
    }
  }
  return static_cast<std::uint32_t>(newest);
}

bool on_x86_64() {
  if (::seccomp_arch_native() == SCMP_ARCH_X86_64) {
    return true;
  }
  WARN("skipped: the expected numbers are of x86_64");
  return false;
}

}  // namespace

// Podman's rules for a container without CAP_AUDIT_WRITE. socketcall(2) passes its arguments in memory, where no filter
// sees them: to the interface that has it, the rules that allow and that refuse say something about the same call.
TEST_CASE("rules for socket's arguments do not contradict each other where socketcall is allowed as a whole") {
  if (!on_x86_64()) {
    return;
  }
  const plan::SeccompArgument netlink = {0, SeccompOperator::kEq, AF_NETLINK, 0};
  const plan::SeccompArgument audit = {2, SeccompOperator::kEq, NETLINK_AUDIT, 0};
  const plan::SeccompArgument not_netlink = {0, SeccompOperator::kNe, AF_NETLINK, 0};
  const plan::SeccompArgument not_audit = {2, SeccompOperator::kNe, NETLINK_AUDIT, 0};
  plan::Seccomp seccomp = denying({
      rule({"socketcall"}),
      rule({"socket"}, SeccompAction::kErrno, {netlink, audit}, EINVAL),
      rule({"socket"}, SeccompAction::kAllow, {not_audit}),
      rule({"socket"}, SeccompAction::kAllow, {not_netlink}),
      rule({"socket"}, SeccompAction::kAllow, {not_audit}),
  });
  seccomp.default_errno_return = ENOSYS;
  const std::map<std::uint32_t, std::uint32_t> socket_of = {{AUDIT_ARCH_X86_64, SYS_socket}, {AUDIT_ARCH_I386, 359}};
  // Wherever in the profile the rule for socketcall is.
  for (std::size_t place = 0; place < seccomp.rules.size(); ++place) {
    const std::vector<sock_filter> program = compiled(seccomp);
    for (const auto& [arch, number] : socket_of) {
      INFO(place << " " << arch);
      CHECK(verdict(program, arch, number, {AF_NETLINK, SOCK_RAW, NETLINK_AUDIT}) == SCMP_ACT_ERRNO(EINVAL));
      CHECK(verdict(program, arch, number, {AF_NETLINK, SOCK_RAW, NETLINK_ROUTE}) == SCMP_ACT_ALLOW);
      CHECK(verdict(program, arch, number, {AF_INET, SOCK_RAW, NETLINK_AUDIT}) == SCMP_ACT_ALLOW);
    }
    CHECK(verdict(program, AUDIT_ARCH_I386, number_of(SCMP_ARCH_X86, "socketcall"), {1}) == SCMP_ACT_ALLOW);
    if (place + 1 < seccomp.rules.size()) {
      std::swap(seccomp.rules[place], seccomp.rules[place + 1]);
    }
  }
}

TEST_CASE("an engine's profile decides each call as libseccomp alone would, and ENOSYS for newer ones") {
  if (!on_x86_64()) {
    return;
  }
  const std::string name = GENERATE("docker", "podman");
  const plan::Seccomp seccomp = profile(name);
  const std::vector<sock_filter> program = compiled(seccomp);
  const std::vector<sock_filter> reference = by_libseccomp(seccomp);
  const std::uint32_t newest_x86_64 = newest_named(seccomp, SCMP_ARCH_X86_64);
  const std::uint32_t newest_x32 = newest_named(seccomp, SCMP_ARCH_X32);
  const std::uint32_t newest_x86 = newest_named(seccomp, SCMP_ARCH_X86);
  const auto expected = [&](std::uint32_t arch, std::uint32_t number, const Arguments& arguments) {
    const bool newer = (arch == AUDIT_ARCH_X86_64 && number < kX32 && number > newest_x86_64) ||
                       (arch == AUDIT_ARCH_X86_64 && number > newest_x32) ||
                       (arch == AUDIT_ARCH_I386 && number > newest_x86);
    return newer ? kEnosys : verdict(reference, arch, number, arguments);
  };
  const Arguments samples[] = {{0},           {1},  {8},          {5},          {0x20000},    {0x20008},
                               {0xffffffff},  {17}, {0x10000000}, {0x7e020000}, {3, 4, 5, 6}, {0x1'00000000},
                               {0x1'00000008}};
  std::size_t mismatches = 0;
  const auto compare = [&](std::uint32_t arch, std::uint32_t number) {
    for (const Arguments& arguments : samples) {
      const std::uint32_t got = verdict(program, arch, number, arguments);
      if (got != expected(arch, number, arguments)) {
        ++mismatches;
        UNSCOPED_INFO(name << " " << std::hex << arch << " " << number << " a0 " << arguments[0] << ": " << got
                           << " for " << expected(arch, number, arguments));
      }
    }
  };
  for (std::uint32_t number = 0; number < 1100; ++number) {
    for (const std::uint32_t arch :
         std::initializer_list<std::uint32_t>{AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64}) {
      compare(arch, number);
      compare(arch, kX32 + number);
    }
  }
  for (const std::uint32_t number : {9999U, 0x3fffffffU, 0x7fffffffU, 0x80000000U, 0xffffffffU}) {
    compare(AUDIT_ARCH_X86_64, number);
    compare(AUDIT_ARCH_I386, number);
  }
  CHECK(mismatches == 0);
}

TEST_CASE("the verdicts that an engine's user expects") {
  if (!on_x86_64()) {
    return;
  }
  const std::vector<sock_filter> docker = compiled(profile("docker"));
  const std::uint32_t clone = number_of(SCMP_ARCH_X86_64, "clone");
  CHECK(verdict(docker, AUDIT_ARCH_X86_64, 0) == SCMP_ACT_ALLOW);
  CHECK(verdict(docker, AUDIT_ARCH_X86_64, 9999) == kEnosys);
  CHECK(verdict(docker, AUDIT_ARCH_I386, 9999) == kEnosys);
  CHECK(verdict(docker, AUDIT_ARCH_X86_64, kX32 + 9999) == kEnosys);
  CHECK(verdict(docker, AUDIT_ARCH_AARCH64, 0) == SCMP_ACT_KILL_THREAD);
  CHECK(verdict(docker, AUDIT_ARCH_X86_64, number_of(SCMP_ARCH_X86_64, "mount")) == kEperm);
  CHECK(verdict(docker, AUDIT_ARCH_X86_64, clone, {0x11}) == SCMP_ACT_ALLOW);
  CHECK(verdict(docker, AUDIT_ARCH_X86_64, clone, {0x10000000}) == kEperm);  // CLONE_NEWUSER
  const std::vector<sock_filter> podman = compiled(profile("podman"));
  CHECK(verdict(podman, AUDIT_ARCH_X86_64, 9999) == kEnosys);
  CHECK(verdict(podman, AUDIT_ARCH_X86_64, number_of(SCMP_ARCH_X86_64, "mount")) != kEnosys);
}

TEST_CASE("each action becomes the value that the kernel knows") {
  if (!on_x86_64()) {
    return;
  }
  const std::pair<SeccompAction, std::uint32_t> actions[] = {
      {SeccompAction::kKillProcess, SECCOMP_RET_KILL_PROCESS},
      {SeccompAction::kKillThread, SECCOMP_RET_KILL_THREAD},
      {SeccompAction::kTrap, SECCOMP_RET_TRAP},
      {SeccompAction::kErrno, SECCOMP_RET_ERRNO | 77},
      {SeccompAction::kTrace, SECCOMP_RET_TRACE | 77},
      {SeccompAction::kLog, SECCOMP_RET_LOG},
      {SeccompAction::kAllow, SECCOMP_RET_ALLOW},
  };
  for (const auto& [action, value] : actions) {
    CAPTURE(value);
    // Once where number and architecture decide, once through libseccomp.
    const auto program = compiled(
        denying({rule({"read"}, action, {}, 77), rule({"write"}, action, {{2, SeccompOperator::kEq, 5}}, 77)}));
    CHECK(verdict(program, AUDIT_ARCH_X86_64, 0) == value);
    CHECK(verdict(program, AUDIT_ARCH_X86_64, 1, {0, 0, 5}) == value);
    CHECK(verdict(program, AUDIT_ARCH_X86_64, 1, {0, 0, 6}) == kEperm);
  }
}

TEST_CASE("each operator compares all 64 bits") {
  if (!on_x86_64()) {
    return;
  }
  constexpr std::uint64_t kHigh = 0x1'00000000;
  struct Case {
    SeccompOperator op;
    std::uint64_t value, value_two, argument;
    bool matches;
  };
  const Case cases[] = {
      {SeccompOperator::kEq, 5, 0, 5, true},
      {SeccompOperator::kEq, 5, 0, kHigh | 5, false},
      {SeccompOperator::kNe, 5, 0, kHigh | 5, true},
      {SeccompOperator::kNe, 5, 0, 5, false},
      {SeccompOperator::kLt, kHigh, 0, 0xffffffff, true},
      {SeccompOperator::kLt, kHigh, 0, kHigh, false},
      {SeccompOperator::kLe, kHigh, 0, kHigh, true},
      {SeccompOperator::kLe, kHigh, 0, kHigh + 1, false},
      {SeccompOperator::kGt, kHigh, 0, kHigh + 1, true},
      {SeccompOperator::kGt, kHigh, 0, kHigh, false},
      {SeccompOperator::kGe, kHigh, 0, kHigh, true},
      {SeccompOperator::kGe, kHigh, 0, 0xffffffff, false},
      {SeccompOperator::kMaskedEq, 0xf0, 0x30, 0x3a, true},
      {SeccompOperator::kMaskedEq, 0xf0, 0x30, 0x4a, false},
      {SeccompOperator::kMaskedEq, kHigh | 1, kHigh, kHigh | 2, true},
  };
  for (const Case& entry : cases) {
    CAPTURE(static_cast<int>(entry.op), entry.value, entry.argument);
    const auto program =
        compiled(denying({rule({"write"}, SeccompAction::kAllow, {{3, entry.op, entry.value, entry.value_two}})}));
    CHECK(verdict(program, AUDIT_ARCH_X86_64, 1, {0, 0, 0, entry.argument}) ==
          (entry.matches ? SCMP_ACT_ALLOW : kEperm));
  }
}

TEST_CASE("arguments of different indices must all match; an index that is named twice gives alternatives") {
  if (!on_x86_64()) {
    return;
  }
  const auto both = compiled(
      denying({rule({"write"}, SeccompAction::kAllow, {{0, SeccompOperator::kEq, 1}, {1, SeccompOperator::kEq, 2}})}));
  CHECK(verdict(both, AUDIT_ARCH_X86_64, 1, {1, 2}) == SCMP_ACT_ALLOW);
  CHECK(verdict(both, AUDIT_ARCH_X86_64, 1, {1, 3}) == kEperm);
  CHECK(verdict(both, AUDIT_ARCH_X86_64, 1, {2, 2}) == kEperm);
  const auto either = compiled(
      denying({rule({"write"}, SeccompAction::kAllow, {{0, SeccompOperator::kEq, 1}, {0, SeccompOperator::kEq, 2}})}));
  CHECK(verdict(either, AUDIT_ARCH_X86_64, 1, {1}) == SCMP_ACT_ALLOW);
  CHECK(verdict(either, AUDIT_ARCH_X86_64, 1, {2}) == SCMP_ACT_ALLOW);
  CHECK(verdict(either, AUDIT_ARCH_X86_64, 1, {3}) == kEperm);
}

TEST_CASE("a call with and without arguments in its rules, or with two actions, is libseccomp's to merge") {
  if (!on_x86_64()) {
    return;
  }
  const auto merged = compiled(
      denying({rule({"write"}, SeccompAction::kAllow, {{0, SeccompOperator::kEq, 1}}), rule({"write", "close"})}));
  CHECK(verdict(merged, AUDIT_ARCH_X86_64, 1, {9}) == SCMP_ACT_ALLOW);
  const auto split = compiled(denying({rule({"write"}, SeccompAction::kAllow, {{0, SeccompOperator::kEq, 1}}),
                                       rule({"write"}, SeccompAction::kErrno, {{0, SeccompOperator::kEq, 2}}, 77)}));
  CHECK(verdict(split, AUDIT_ARCH_X86_64, 1, {1}) == SCMP_ACT_ALLOW);
  CHECK(verdict(split, AUDIT_ARCH_X86_64, 1, {2}) == SCMP_ACT_ERRNO(77));
  CHECK(verdict(split, AUDIT_ARCH_X86_64, 1, {3}) == kEperm);
}

TEST_CASE("x86 reaches socket calls by their own number and through socketcall") {
  if (!on_x86_64()) {
    return;
  }
  const auto program = compiled(denying({rule({"socket", "clone3"})}));
  constexpr std::uint32_t kSocketcall = 102;
  constexpr std::uint32_t kSocketOfX86 = 359;
  CHECK(verdict(program, AUDIT_ARCH_I386, kSocketcall, {1}) == SCMP_ACT_ALLOW);
  CHECK(verdict(program, AUDIT_ARCH_I386, kSocketcall, {2}) == kEperm);
  CHECK(verdict(program, AUDIT_ARCH_I386, kSocketOfX86) == SCMP_ACT_ALLOW);
  CHECK(verdict(program, AUDIT_ARCH_X86_64, 41) == SCMP_ACT_ALLOW);
  CHECK(verdict(program, AUDIT_ARCH_X86_64, kX32 + 41) == SCMP_ACT_ALLOW);
}

TEST_CASE("a rule for a multiplexer goes before those for its parts, as in libseccomp") {
  if (!on_x86_64()) {
    return;
  }
  const plan::SeccompRule parts = rule({"socket", "semop"});
  const plan::SeccompRule whole = rule({"socketcall", "ipc"}, SeccompAction::kTrap);
  for (const plan::Seccomp& seccomp : {denying({parts, whole}), denying({whole, parts})}) {
    const auto program = compiled(seccomp);
    const auto reference = by_libseccomp(seccomp);
    for (const std::uint32_t number : {102U, 117U}) {
      for (const std::uint64_t part : {1U, 2U}) {
        CAPTURE(number, part);
        CHECK(verdict(program, AUDIT_ARCH_I386, number, {part}) == SCMP_ACT_TRAP);
        CHECK(verdict(reference, AUDIT_ARCH_I386, number, {part}) == SCMP_ACT_TRAP);
      }
    }
  }
}

TEST_CASE("the native architecture is in the filter whether or not it is named") {
  if (!on_x86_64()) {
    return;
  }
  for (const std::vector<std::string>& architectures :
       {std::vector<std::string>{}, std::vector<std::string>{"SCMP_ARCH_X86"}}) {
    plan::Seccomp seccomp = denying({rule({"read"})});
    seccomp.architectures = architectures;
    const auto program = compiled(seccomp);
    CHECK(verdict(program, AUDIT_ARCH_X86_64, 0) == SCMP_ACT_ALLOW);
    CHECK(verdict(program, AUDIT_ARCH_X86_64, 9999) == kEnosys);
    // An interface that the filter does not have: its calls do not become ENOSYS.
    CHECK(verdict(program, AUDIT_ARCH_X86_64, kX32) == SCMP_ACT_KILL_THREAD);
    CHECK(verdict(program, AUDIT_ARCH_I386, 3) == (architectures.empty() ? SCMP_ACT_KILL_THREAD : SCMP_ACT_ALLOW));
  }
}

TEST_CASE("only a default that denies makes new calls ENOSYS") {
  if (!on_x86_64()) {
    return;
  }
  struct Case {
    SeccompAction action;
    std::uint32_t expected;
  };
  const Case cases[] = {
      {SeccompAction::kErrno, kEnosys},           {SeccompAction::kKillProcess, kEnosys},
      {SeccompAction::kKillThread, kEnosys},      {SeccompAction::kTrap, kEnosys},
      {SeccompAction::kAllow, SCMP_ACT_ALLOW},    {SeccompAction::kLog, SCMP_ACT_LOG},
      {SeccompAction::kTrace, SCMP_ACT_TRACE(1)},
  };
  for (const Case& entry : cases) {
    CAPTURE(static_cast<int>(entry.action));
    plan::Seccomp seccomp = denying({rule({"read"}, SeccompAction::kErrno, {}, 77)});
    seccomp.default_action = entry.action;
    CHECK(verdict(compiled(seccomp), AUDIT_ARCH_X86_64, 9999) == entry.expected);
    CHECK(verdict(compiled(seccomp), AUDIT_ARCH_X86_64, 0) == SCMP_ACT_ERRNO(77));
  }
}

TEST_CASE("rules that repeat the default, and names that nobody knows, are skipped") {
  const auto program =
      compiled(denying({rule({"read"}, SeccompAction::kErrno), rule({"no_such_call", "write"}), rule({""}),
                        rule({"close"}, SeccompAction::kErrno, {{0, SeccompOperator::kEq, 1}})}));
  CHECK(run_filter(program, {.nr = SYS_read, .arch = ::seccomp_arch_native(), .instruction_pointer = 0, .args = {}}) ==
        kEperm);
  CHECK(run_filter(program, {.nr = SYS_write, .arch = ::seccomp_arch_native(), .instruction_pointer = 0, .args = {}}) ==
        SCMP_ACT_ALLOW);
}

TEST_CASE("a foreign architecture of the same byte order has its own numbers") {
  if (!on_x86_64()) {
    return;
  }
  plan::Seccomp seccomp = denying({rule({"read", "arm_sync_file_range", "socket"})});
  seccomp.architectures = {"SCMP_ARCH_ARM", "SCMP_ARCH_AARCH64", "SCMP_ARCH_RISCV64"};
  const auto program = compiled(seccomp);
  CHECK(verdict(program, AUDIT_ARCH_AARCH64, 63) == SCMP_ACT_ALLOW);
  CHECK(verdict(program, AUDIT_ARCH_AARCH64, 0) == kEperm);
  CHECK(verdict(program, AUDIT_ARCH_AARCH64, 9999) == kEnosys);
  CHECK(verdict(program, AUDIT_ARCH_ARM, 3) == SCMP_ACT_ALLOW);
  CHECK(verdict(program, AUDIT_ARCH_ARM, 341) == SCMP_ACT_ALLOW);
  CHECK(verdict(program, AUDIT_ARCH_RISCV64, 63) == SCMP_ACT_ALLOW);
}

TEST_CASE("s390 answers call 0 with ENOSYS, as large unknown numbers arrive as it") {
  const std::vector<security::Abi> abis = {{SCMP_ARCH_S390X, SCMP_ARCH_S390X, ~0U, "SCMP_ARCH_S390X"}};
  const plan::Seccomp seccomp = denying({rule({"setup", "exit"})});
  const auto tables = security::SystemCalls(seccomp, abis).tables(true);
  REQUIRE(tables.size() == 1);
  CHECK(tables[0].ranges ==
        std::vector<security::CallRange>{{0, 0, kEnosys}, {1, 1, SCMP_ACT_ALLOW}, {2, ~0U, kEnosys}});
}

TEST_CASE("what cannot be compiled says what and why") {
  struct Case {
    plan::Seccomp seccomp;
    std::string message;
  };
  plan::Seccomp unknown = denying({});
  unknown.architectures = {"SCMP_ARCH_VAX"};
  plan::Seccomp other_order = denying({});
  other_order.architectures = {"SCMP_ARCH_S390X"};
  plan::Seccomp large = denying({});
  for (std::uint64_t value = 0; value < 3000; ++value) {
    large.rules.push_back(rule({"write"}, SeccompAction::kAllow, {{0, SeccompOperator::kEq, value << 33}}));
  }
  large.architectures.clear();
  const plan::Seccomp notify = denying({rule({"mkdir"}, SeccompAction::kNotify)});
  const plan::Seccomp index = denying({rule({"write"}, SeccompAction::kAllow, {{6, SeccompOperator::kEq, 1}})});
  const Case cases[] = {{unknown, "does not know \"SCMP_ARCH_VAX\""},
                        {other_order, "SCMP_ARCH_S390X"},
                        {large, "instructions, the kernel takes 4096"},
                        {notify, "/linux/seccomp/listenerPath: got nothing"},
                        {index, "seccomp rule for write: Invalid argument"}};
  for (const Case& entry : cases) {
    const Result<FilterProgram> program = FilterProgram::compile(entry.seccomp);
    REQUIRE_FALSE(program.has_value());
    CHECK(program.error().kind() == ErrorKind::kConfig);
    CHECK_THAT(program.error().message(), Catch::Contains(entry.message));
  }
}

TEST_CASE("the kernel takes the filter and acts on it") {
  plan::Seccomp seccomp;
  seccomp.default_action = SeccompAction::kAllow;
  seccomp.flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_LOG;
  seccomp.rules = {rule({"getppid"}, SeccompAction::kErrno, {}, 77)};
  const Result<FilterProgram> program = FilterProgram::compile(seccomp);
  REQUIRE(program.has_value());
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    const bool loaded = program->load().has_value();
    ::_exit(!loaded ? 1 : ::syscall(SYS_getppid) == -1 && errno == 77 ? 0 : 2);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

TEST_CASE("what a profile compiles to has not changed since the generation of the cache of filters") {
  const scmp_version* library = ::seccomp_version();
  if (library->major != 2 || library->minor != 5 || library->micro != 4) {
    WARN("skipped: the value is libseccomp 2.5.4's");
    return;
  }
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char* name : {"docker", "podman"}) {
    for (const sock_filter& instruction : compiled(profile(name))) {
      for (const std::uint64_t part : {std::uint64_t{instruction.code}, std::uint64_t{instruction.jt},
                                       std::uint64_t{instruction.jf}, std::uint64_t{instruction.k}}) {
        hash = (hash ^ part) * 0x100000001b3;
      }
    }
  }
  // Another value: raise kGeneration in src/security/filter_cache.cpp, or filters of older programs are used.
  CHECK(hash == 0x4409602bf79cafaa);
}
