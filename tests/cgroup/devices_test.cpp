#include "cgroup/devices.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <sstream>

using namespace berth;
using namespace berth::cgroup;
using plan::DeviceRule;

namespace {

constexpr unsigned kMknod = BPF_DEVCG_ACC_MKNOD;
constexpr unsigned kRead = BPF_DEVCG_ACC_READ;
constexpr unsigned kWrite = BPF_DEVCG_ACC_WRITE;

struct Request {
  char type;
  std::uint32_t major;
  std::uint32_t minor;
  unsigned access;
};

// "+c 1:3 rw" allows, "-a *:* rwm" denies.
DeviceRule rule(const std::string& text) {
  DeviceRule result;
  result.allow = text[0] == '+';
  result.type = text[1];
  const std::size_t colon = text.find(':');
  const std::size_t space = text.rfind(' ');
  const auto number = [](const std::string& value) {
    return value == "*" ? std::optional<std::uint32_t>() : static_cast<std::uint32_t>(std::stoul(value));
  };
  result.major = number(text.substr(3, colon - 3));
  result.minor = number(text.substr(colon + 1, space - colon - 1));
  result.read = text.find('r', space) != std::string::npos;
  result.write = text.find('w', space) != std::string::npos;
  result.mknod = text.find('m', space) != std::string::npos;
  return result;
}

std::vector<DeviceRule> rules(const std::vector<std::string>& texts) {
  std::vector<DeviceRule> result;
  std::ranges::transform(texts, std::back_inserter(result), rule);
  return result;
}

bool taken(int operation, std::uint64_t left, std::int64_t right) {
  switch (operation) {
    case BPF_JA:
      return true;
    case BPF_JNE:
      return left != static_cast<std::uint64_t>(right);
    case BPF_JEQ:
      return left == static_cast<std::uint64_t>(right);
    default:
      FAIL("unknown jump");
      return false;
  }
}

std::uint32_t calculated(int operation, std::uint32_t left, std::uint32_t right) {
  switch (operation) {
    case BPF_MOV:
      return right;
    case BPF_AND:
      return left & right;
    case BPF_RSH:
      return left >> right;
    default:
      FAIL("unknown operation");
      return 0;
  }
}

// The few instructions of eBPF that a device program is made of.
bool run_program(const std::vector<bpf_insn>& program, const Request& request) {
  const std::uint32_t context[] = {
      (request.access << 16) | (request.type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR), request.major,
      request.minor};
  std::uint64_t registers[11] = {};
  for (std::size_t at = 0; at < program.size(); ++at) {
    const bpf_insn& insn = program[at];
    const std::uint32_t operand = BPF_SRC(insn.code) == BPF_X ? static_cast<std::uint32_t>(registers[insn.src_reg])
                                                              : static_cast<std::uint32_t>(insn.imm);
    if (BPF_CLASS(insn.code) == BPF_LDX) {
      registers[insn.dst_reg] = context[insn.off / 4];
    } else if (BPF_CLASS(insn.code) == BPF_ALU) {
      registers[insn.dst_reg] =
          calculated(BPF_OP(insn.code), static_cast<std::uint32_t>(registers[insn.dst_reg]), operand);
    } else if (BPF_OP(insn.code) == BPF_EXIT) {
      return registers[0] != 0;
    } else if (taken(BPF_OP(insn.code), registers[insn.dst_reg], insn.imm)) {
      at += static_cast<std::size_t>(insn.off);
    }
  }
  FAIL("the program ran over its end");
  return false;
}

// What security/device_cgroup.c makes of the writes: a default and exceptions, of which one must grant all of an
// access.
bool ask_v1(const legacy::DeviceWrites& writes, const Request& request) {
  const bool deny_by_default = writes.first_file == "devices.deny";
  for (const std::string& text : writes.others) {
    const DeviceRule exception = rule("+" + text);
    const unsigned access =
        (exception.read ? kRead : 0) | (exception.write ? kWrite : 0) | (exception.mknod ? kMknod : 0);
    const bool same = exception.type == request.type && exception.major.value_or(request.major) == request.major &&
                      exception.minor.value_or(request.minor) == request.minor;
    if (same && (deny_by_default ? (request.access & ~access) == 0 : (request.access & access) != 0)) {
      return deny_by_default;
    }
  }
  return !deny_by_default;
}

struct Case {
  std::vector<std::string> rules;
  std::vector<std::pair<Request, bool>> verdicts;
};

const std::vector<Case> kCases = {
    {{}, {{{'c', 1, 3, kRead}, false}, {{'b', 8, 0, kMknod}, false}}},
    {{"-a *:* rwm"}, {{{'c', 1, 3, kRead}, false}}},
    {{"+a *:* rwm"}, {{{'c', 1, 3, kRead | kWrite}, true}, {{'b', 8, 0, kMknod}, true}}},
    {{"-a *:* rwm", "+c 1:3 rwm"},
     {{{'c', 1, 3, kRead | kWrite}, true},
      {{'c', 1, 3, kMknod}, true},
      {{'c', 1, 4, kRead}, false},
      {{'c', 2, 3, kRead}, false},
      {{'b', 1, 3, kRead}, false}}},
    {{"+c 1:3 r"}, {{{'c', 1, 3, kRead}, true}, {{'c', 1, 3, kWrite}, false}, {{'c', 1, 3, kRead | kWrite}, false}}},
    // What two rules allow together is allowed in one open.
    {{"+c 1:3 r", "+c 1:3 w"}, {{{'c', 1, 3, kRead | kWrite}, true}, {{'c', 1, 3, kMknod}, false}}},
    {{"+c 1:* r", "+c 1:3 w"}, {{{'c', 1, 3, kRead | kWrite}, true}, {{'c', 1, 4, kRead | kWrite}, false}}},
    {{"+c 1:3 w", "+c 1:* r"}, {{{'c', 1, 3, kRead | kWrite}, true}, {{'c', 1, 4, kRead}, true}}},
    {{"+c 136:* rwm"}, {{{'c', 136, 77, kRead | kWrite}, true}, {{'c', 137, 77, kRead}, false}}},
    {{"+b *:* m"}, {{{'b', 8, 0, kMknod}, true}, {{'b', 8, 0, kRead}, false}, {{'c', 8, 0, kMknod}, false}}},
    {{"+a *:* m"}, {{{'b', 8, 0, kMknod}, true}, {{'c', 8, 0, kMknod}, true}, {{'c', 8, 0, kRead}, false}}},
    // The last rule counts, for the kind of access that it names.
    {{"+c 10:229 rwm", "-c 10:229 w"}, {{{'c', 10, 229, kRead | kMknod}, true}, {{'c', 10, 229, kWrite}, false}}},
    {{"-c 10:229 rwm", "+c 10:229 r"}, {{{'c', 10, 229, kRead}, true}, {{'c', 10, 229, kWrite}, false}}},
    {{"+a *:* rwm", "-b 8:* rw"},
     {{{'b', 8, 1, kRead}, false},
      {{'b', 8, 1, kMknod}, true},
      {{'b', 8, 1, kMknod | kRead}, false},
      {{'b', 9, 1, kRead}, true}}},
    {{"+a *:* rwm", "-b 8:0 rwm", "+b 8:* r"}, {{{'b', 8, 0, kRead}, true}, {{'b', 8, 0, kWrite}, false}}},
    {{"+c 1:3 rwm", "+c 1:5 rwm", "-a *:* rwm", "+c 1:5 r"}, {{{'c', 1, 3, kRead}, false}, {{'c', 1, 5, kRead}, true}}},
    {{"+c 1:3 rwm", "-c *:* w"}, {{{'c', 1, 3, kRead}, true}, {{'c', 1, 3, kWrite}, false}}},
    // Wider than any device number of the kernel: matches nothing.
    {{"+c 4294967295:* rwm"}, {{{'c', 1, 3, kRead}, false}}},
};

}  // namespace

TEST_CASE("v1 files and the cgroup2 program give the same verdicts") {
  for (const Case& entry : kCases) {
    const std::vector<DeviceRule> list = rules(entry.rules);
    const std::vector<bpf_insn> program = unified::device_program(list).value();
    const legacy::DeviceWrites writes = legacy::device_writes(list).value();
    for (const auto& [request, allowed] : entry.verdicts) {
      CAPTURE(entry.rules, request.type, request.major, request.minor, request.access);
      CHECK(run_program(program, request) == allowed);
      CHECK(ask_v1(writes, request) == allowed);
    }
  }
}

TEST_CASE("every container has its default devices, whatever the rules say") {
  for (const std::vector<std::string>& given :
       {std::vector<std::string>{}, {"-a *:* rwm"}, {"-c 1:3 rwm", "-c *:* m"}}) {
    const std::vector<DeviceRule> list = with_default_devices(rules(given));
    const std::vector<bpf_insn> program = unified::device_program(list).value();
    const legacy::DeviceWrites writes = legacy::device_writes(list).value();
    const std::pair<Request, bool> table[] = {
        {{'c', 1, 3, kRead | kWrite | kMknod}, true},
        {{'c', 1, 5, kRead | kWrite}, true},
        {{'c', 1, 7, kRead | kWrite}, true},
        {{'c', 1, 8, kRead | kWrite}, true},
        {{'c', 1, 9, kRead | kWrite}, true},
        {{'c', 5, 0, kRead | kWrite}, true},
        {{'c', 5, 2, kRead | kWrite}, true},
        {{'c', 136, 3, kRead | kWrite}, true},
        {{'b', 8, 0, kMknod}, true},
        {{'c', 10, 229, kMknod}, true},
        {{'b', 8, 0, kRead}, false},
        {{'c', 1, 1, kRead}, false},  // /dev/mem
        {{'c', 10, 229, kRead | kWrite}, false},
        {{'c', 5, 1, kRead}, false},  // the host's console
    };
    for (const auto& [request, allowed] : table) {
      CAPTURE(given, request.type, request.major, request.minor, request.access);
      CHECK(run_program(program, request) == allowed);
      CHECK(ask_v1(writes, request) == allowed);
    }
  }
}

TEST_CASE("v1 refuses rules that it could enforce only wider or narrower") {
  for (const std::vector<std::string>& given : {std::vector<std::string>{"+c 1:* rwm", "-c 1:3 w"},
                                                {"+a *:* rwm", "-c 1:* rwm", "+c 1:3 r"},
                                                {"+c 1:* r", "-c *:3 r"}}) {
    CAPTURE(given);
    const auto result = legacy::device_writes(rules(given));
    REQUIRE_FALSE(result);
    CHECK(result.error().message().starts_with("/linux/resources/devices: cgroup v1 cannot "));
  }
  CHECK(legacy::device_writes(rules({"+c 1:* r", "-c 1:3 w"})));  // nothing to take away
}

TEST_CASE("v1 writes what is left of the rules, once each") {
  const legacy::DeviceWrites writes =
      legacy::device_writes(rules({"+c 9:9 rwm", "-a *:* rwm", "+c 1:3 rwm", "+c 1:3 rwm", "+c 1:5 r", "-c 1:5 r"}))
          .value();
  CHECK(writes.first_file == "devices.deny");
  CHECK(writes.other_file == "devices.allow");
  CHECK(writes.others == std::vector<std::string>{"c 1:3 rwm"});
  CHECK(legacy::device_writes(rules({"+a *:* rwm"})).value().first_file == "devices.allow");
}

TEST_CASE("rules that come before one for everything are not in the program") {
  CHECK(unified::device_program(rules({"+c 1:3 rwm", "-a *:* rwm"})).value().size() ==
        unified::device_program(rules({"-a *:* rwm"})).value().size());
}

TEST_CASE("the program decides as the last rule that speaks of an access, whatever the rules") {
  std::mt19937 random(7);
  const auto pick = [&](unsigned count) { return std::uniform_int_distribution<unsigned>(0, count - 1)(random); };
  const auto number = [&] { return pick(3) == 0 ? std::nullopt : std::optional<std::uint32_t>(pick(3)); };
  for (int round = 0; round < 3000; ++round) {
    std::vector<DeviceRule> list(pick(9));
    for (DeviceRule& entry : list) {
      const bool whole = pick(2) == 0;
      entry = {.allow = pick(2) == 0,
               .type = "abc"[pick(3)],
               .major = number(),
               .minor = number(),
               .read = whole || pick(2) == 0,
               .write = whole || pick(2) == 0,
               .mknod = whole || pick(2) == 0};
    }
    const std::vector<bpf_insn> program = unified::device_program(list).value();
    for (unsigned which = 0; which < 2 * 4 * 4 * 7; ++which) {
      const Request request{which % 2 == 0 ? 'b' : 'c', which / 2 % 4, which / 8 % 4, which / 32 + 1};
      bool expected = true;
      for (const unsigned kind : {kRead, kWrite, kMknod}) {
        bool allowed = false;
        for (const DeviceRule& entry : list) {
          const bool speaks = kind == kRead ? entry.read : kind == kWrite ? entry.write : entry.mknod;
          if (speaks && (entry.type == 'a' || entry.type == request.type) &&
              entry.major.value_or(request.major) == request.major &&
              entry.minor.value_or(request.minor) == request.minor) {
            allowed = entry.allow;
          }
        }
        expected = expected && (allowed || (request.access & kind) == 0);
      }
      if (run_program(program, request) != expected) {
        std::string text;
        for (const DeviceRule& entry : list) {
          text += (entry.allow ? "+" : "-") + describe(entry) + "; ";
        }
        FAIL(text << request.type << " " << request.major << ":" << request.minor << " " << request.access);
      }
    }
  }
}

TEST_CASE("what Docker asks for is a short program") {
  const std::vector<DeviceRule> docker = rules({"-a *:* rwm", "+c 1:5 rwm", "+c 1:3 rwm", "+c 1:9 rwm", "+c 1:8 rwm",
                                                "+c 5:0 rwm", "+c 5:1 rwm", "-c 10:229 rwm"});
  CHECK(unified::device_program(with_default_devices(docker)).value().size() <= 30);
  CHECK(unified::device_program(with_default_devices(rules({"+a *:* rwm"}))).value().size() == 2);
}

TEST_CASE("more rules than a program's jumps can span are refused") {
  CHECK(unified::device_program(std::vector<DeviceRule>(5000, rule("+c 1:3 rwm"))));
  CHECK_FALSE(unified::device_program(std::vector<DeviceRule>(5001, rule("+c 1:3 rwm"))));
}

TEST_CASE("device rules need a hierarchy that can enforce them") {
  const Placement none{
      .manager = Manager::kCgroupfs, .path = "/a", .directories = {{"memory", "/sys/fs/cgroup/memory/a"}}};
  const Status checked = check_device_rules(none, {});
  REQUIRE_FALSE(checked);
  CHECK(checked.error().message().starts_with("/linux/resources/devices cannot be enforced"));
  const Placement unified{.manager = Manager::kCgroupfs, .path = "/a", .directories = {{"", "/sys/fs/cgroup/a"}}};
  CHECK(check_device_rules(unified, rules({"+c 1:* rwm", "-c 1:3 w"})));
  const Placement v1{
      .manager = Manager::kCgroupfs, .path = "/a", .directories = {{"devices", "/sys/fs/cgroup/devices/a"}}};
  CHECK_FALSE(check_device_rules(v1, rules({"+c 20:* rwm", "-c 20:3 w"})));
}
