#include <ranges>

#include "cgroup/devices.hpp"

namespace berth::cgroup::unified {
namespace {

// Registers of the program. R1 is the context (struct bpf_cgroup_dev_ctx) when it starts.
constexpr std::uint8_t kVerdict = BPF_REG_0;
constexpr std::uint8_t kContext = BPF_REG_1;
constexpr std::uint8_t kType = BPF_REG_2;
constexpr std::uint8_t kAccess = BPF_REG_3;  ///< what has been asked for and not allowed yet
constexpr std::uint8_t kMajor = BPF_REG_4;
constexpr std::uint8_t kMinor = BPF_REG_5;

constexpr std::int32_t kAllAccess = BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE;

bpf_insn instruction(int code, std::uint8_t destination, std::uint8_t source, std::int16_t offset,
                     std::int32_t immediate) {
  bpf_insn result{};
  result.code = static_cast<std::uint8_t>(code);
  result.dst_reg = destination & 0xfU;
  result.src_reg = source & 0xfU;
  result.off = offset;
  result.imm = immediate;
  return result;
}

bpf_insn load(std::uint8_t destination, std::size_t offset) {
  return instruction(BPF_LDX | BPF_MEM | BPF_W, destination, kContext, static_cast<std::int16_t>(offset), 0);
}

bpf_insn copy(std::uint8_t destination, std::uint8_t source) {
  return instruction(BPF_ALU | BPF_MOV | BPF_X, destination, source, 0, 0);
}

bpf_insn calculate(int operation, std::uint8_t destination, std::int32_t immediate) {
  return instruction(BPF_ALU | operation | BPF_K, destination, 0, 0, immediate);
}

bpf_insn jump_if(int condition, std::uint8_t reg, std::int32_t immediate, std::size_t distance) {
  return instruction(BPF_JMP | condition | BPF_K, reg, 0, static_cast<std::int16_t>(distance), immediate);
}

void append_return(std::vector<bpf_insn>& program, bool allow) {
  program.push_back(calculate(BPF_MOV, kVerdict, allow ? 1 : 0));
  program.push_back(instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
}

std::int32_t access_of(const plan::DeviceRule& rule) {
  return (rule.mknod ? BPF_DEVCG_ACC_MKNOD : 0) | (rule.read ? BPF_DEVCG_ACC_READ : 0) |
         (rule.write ? BPF_DEVCG_ACC_WRITE : 0);
}

// What happens when the device is the rule's.
std::vector<bpf_insn> decision(const plan::DeviceRule& rule) {
  const std::int32_t access = access_of(rule);
  std::vector<bpf_insn> body;
  if (access == kAllAccess) {
    append_return(body, rule.allow);
  } else if (rule.allow) {  // strike out what is allowed; done if nothing is left
    body.push_back(calculate(BPF_AND, kAccess, kAllAccess & ~access));
    body.push_back(jump_if(BPF_JNE, kAccess, 0, 2));
    append_return(body, true);
  } else {  // deny if any of it is still asked for
    body.push_back(copy(kVerdict, kAccess));
    body.push_back(calculate(BPF_AND, kVerdict, access));
    body.push_back(jump_if(BPF_JEQ, kVerdict, 0, 2));
    append_return(body, false);
  }
  return body;
}

bool matches_every_device(const plan::DeviceRule& rule) {
  return rule.type == 'a' && !rule.major && !rule.minor;
}

void append_rule(std::vector<bpf_insn>& program, const plan::DeviceRule& rule) {
  const std::vector<bpf_insn> body = decision(rule);
  std::size_t conditions = (rule.type != 'a' ? 1U : 0U) + (rule.major ? 1U : 0U) + (rule.minor ? 1U : 0U);
  const auto unless = [&](std::uint8_t reg, std::uint32_t value) {
    --conditions;  // a jump skips the conditions after it and the body
    program.push_back(jump_if(BPF_JNE, reg, static_cast<std::int32_t>(value), conditions + body.size()));
  };
  if (rule.type != 'a') {
    unless(kType, rule.type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
  }
  if (rule.major) {
    unless(kMajor, *rule.major);
  }
  if (rule.minor) {
    unless(kMinor, *rule.minor);
  }
  program.insert(program.end(), body.begin(), body.end());
}

}  // namespace

std::vector<bpf_insn> device_program(const std::vector<plan::DeviceRule>& rules) {
  std::vector<bpf_insn> program = {
      load(kType, offsetof(bpf_cgroup_dev_ctx, access_type)),  // (access << 16) | type
      copy(kAccess, kType),
      calculate(BPF_RSH, kAccess, 16),
      calculate(BPF_AND, kType, 0xffff),
      load(kMajor, offsetof(bpf_cgroup_dev_ctx, major)),
      load(kMinor, offsetof(bpf_cgroup_dev_ctx, minor)),
  };
  for (const plan::DeviceRule& rule : rules | std::views::reverse) {
    if (access_of(rule) == 0) {
      continue;
    }
    append_rule(program, rule);
    if (matches_every_device(rule) && access_of(rule) == kAllAccess) {
      return program;  // it has decided; the verifier refuses instructions that nothing reaches
    }
  }
  append_return(program, false);
  return program;
}

}  // namespace berth::cgroup::unified
