#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <tuple>
#include <utility>

#include "cgroup/devices.hpp"

namespace berth::cgroup::unified {
namespace {

using plan::DeviceRule;

// Registers of the program. R1 is the context (struct bpf_cgroup_dev_ctx) when it starts.
constexpr std::uint8_t kVerdict = BPF_REG_0;
constexpr std::uint8_t kContext = BPF_REG_1;
constexpr std::uint8_t kType = BPF_REG_2;
constexpr std::uint8_t kAccess = BPF_REG_3;  ///< what has been asked for and not allowed yet
constexpr std::uint8_t kMajor = BPF_REG_4;
constexpr std::uint8_t kMinor = BPF_REG_5;

// A rule takes five instructions at most, and a jump spans 32,767.
constexpr std::size_t kMostRules = 5000;

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

std::int32_t access_of(const DeviceRule& rule) {
  return (rule.mknod ? BPF_DEVCG_ACC_MKNOD : 0) | (rule.read ? BPF_DEVCG_ACC_READ : 0) |
         (rule.write ? BPF_DEVCG_ACC_WRITE : 0);
}

// Instructions with jumps forward, to places that are not known yet when the jump is written.
class Assembler {
 public:
  using Label = std::size_t;

  Label new_label() {
    places_.push_back(kNowhere);
    return places_.size() - 1;
  }
  void place(Label label) { places_[label] = program_.size(); }
  void add(bpf_insn insn) { program_.push_back(insn); }
  void add_return(bool allow) {
    add(calculate(BPF_MOV, kVerdict, allow ? 1 : 0));
    add(instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
  }
  void jump(Label target) { jump_if(BPF_JA, 0, 0, target); }
  void jump_if(int condition, std::uint8_t reg, std::uint32_t value, Label target) {
    jumps_.push_back({program_.size(), target});
    add(instruction(BPF_JMP | condition | BPF_K, reg, 0, 0, static_cast<std::int32_t>(value)));
  }
  [[nodiscard]] bool is_target(Label label) const {
    return std::ranges::any_of(jumps_, [&](const Jump& jump) { return jump.target == label; });
  }
  [[nodiscard]] std::vector<bpf_insn> finish() && {
    for (const Jump& jump : jumps_) {
      program_[jump.from].off = static_cast<std::int16_t>(places_[jump.target] - jump.from - 1);
    }
    return std::move(program_);
  }

 private:
  static constexpr std::size_t kNowhere = std::numeric_limits<std::size_t>::max();
  struct Jump {
    std::size_t from;
    Label target;
  };
  std::vector<bpf_insn> program_;
  std::vector<std::size_t> places_;
  std::vector<Jump> jumps_;
};

// Rules of one type, each deciding every access: those of one major number share its comparison.
void add_full_rules(Assembler& program, std::vector<DeviceRule> rules, Assembler::Label decided) {
  std::ranges::sort(rules, [](const DeviceRule& one, const DeviceRule& other) {
    return std::tie(one.major, one.minor) < std::tie(other.major, other.minor);
  });
  std::optional<std::uint32_t> shared;
  Assembler::Label other_major = 0;
  const auto leave_shared = [&] {
    if (shared) {
      program.place(other_major);
      shared.reset();
    }
  };
  for (const DeviceRule& rule : rules) {
    if (rule.major != shared) {
      leave_shared();
    }
    if (!rule.minor) {
      program.jump_if(BPF_JEQ, kMajor, *rule.major, decided);
      continue;
    }
    if (rule.major && !shared) {
      shared = rule.major;
      other_major = program.new_label();
      program.jump_if(BPF_JNE, kMajor, *shared, other_major);
    }
    program.jump_if(BPF_JEQ, kMinor, *rule.minor, decided);
  }
  leave_shared();
}

void add_partial_rule(Assembler& program, const DeviceRule& rule, Assembler::Label decided) {
  const Assembler::Label next = program.new_label();
  if (rule.major) {
    program.jump_if(BPF_JNE, kMajor, *rule.major, next);
  }
  if (rule.minor) {
    program.jump_if(BPF_JNE, kMinor, *rule.minor, next);
  }
  if (rule.allow) {  // strike out what is allowed; done if nothing is left
    program.add(calculate(BPF_AND, kAccess, kAllAccess & ~access_of(rule)));
    program.jump_if(BPF_JEQ, kAccess, 0, decided);
  } else {  // deny if any of it is still asked for
    program.add(copy(kVerdict, kAccess));
    program.add(calculate(BPF_AND, kVerdict, access_of(rule)));
    program.jump_if(BPF_JNE, kVerdict, 0, decided);
  }
  program.place(next);
}

// Rules that all allow or all deny: their order does not matter.
void add_run(Assembler& program, std::span<const DeviceRule> run, Assembler::Label decided) {
  for (const char type : {'a', 'b', 'c'}) {
    std::vector<DeviceRule> full;
    std::vector<DeviceRule> partial;
    for (const DeviceRule& rule : run) {
      if (rule.type == type) {
        (access_of(rule) == kAllAccess ? full : partial).push_back(rule);
      }
    }
    if (full.empty() && partial.empty()) {
      continue;
    }
    const Assembler::Label other_type = program.new_label();
    if (type != 'a') {
      program.jump_if(BPF_JNE, kType, type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR, other_type);
    }
    if (std::ranges::any_of(full, [](const DeviceRule& rule) { return !rule.major && !rule.minor; })) {
      program.jump(decided);  // and nothing after it: the verifier refuses instructions that nothing reaches
    } else {
      add_full_rules(program, std::move(full), decided);
      for (const DeviceRule& rule : partial) {
        add_partial_rule(program, rule, decided);
      }
    }
    program.place(other_type);
  }
}

}  // namespace

// The verifier, which walks every path, takes far longer than the system call itself (0.5 ms for what Docker asks for,
// rule by rule): hence the fewest instructions.
Result<std::vector<bpf_insn>> device_program(const std::vector<DeviceRule>& rules) {
  if (rules.size() > kMostRules) {
    return fail(ErrorKind::kConfig, "/linux/resources/devices: {} rules, a program of the kernel's can hold {}",
                rules.size(), kMostRules);
  }
  const DecisiveRules decisive = decisive_rules(rules);
  Assembler program;
  if (decisive.rules.empty()) {
    program.add_return(decisive.otherwise);
    return std::move(program).finish();
  }
  program.add(load(kType, offsetof(bpf_cgroup_dev_ctx, access_type)));  // (access << 16) | type
  program.add(copy(kAccess, kType));
  program.add(calculate(BPF_RSH, kAccess, 16));
  program.add(calculate(BPF_AND, kType, 0xffff));
  program.add(load(kMajor, offsetof(bpf_cgroup_dev_ctx, major)));
  program.add(load(kMinor, offsetof(bpf_cgroup_dev_ctx, minor)));

  const std::array<Assembler::Label, 2> decided = {program.new_label(), program.new_label()};
  for (auto first = decisive.rules.begin(); first != decisive.rules.end();) {
    const auto end =
        std::find_if(first, decisive.rules.end(), [&](const DeviceRule& rule) { return rule.allow != first->allow; });
    add_run(program, {first, end}, decided[first->allow ? 1 : 0]);
    first = end;
  }
  for (const bool allow : {decisive.otherwise, !decisive.otherwise}) {  // the path through all rules ends here
    if (allow == decisive.otherwise || program.is_target(decided[allow ? 1 : 0])) {
      program.place(decided[allow ? 1 : 0]);
      program.add_return(allow);
    }
  }
  return std::move(program).finish();
}

}  // namespace berth::cgroup::unified
