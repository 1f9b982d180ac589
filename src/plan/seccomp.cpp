#include <algorithm>
#include <cstring>

#include "plan/base64.hpp"
#include "plan/lowering.hpp"
#include "plan/seccomp_names.hpp"

namespace berth::plan {
namespace {

using spec::Problems;
using spec::quoted;

constexpr std::uint16_t kDefaultErrno = 1;  // EPERM
// The kernel caps the errno of a filter at MAX_ERRNO; what a tracer gets has 16 bits (seccomp(2)).
constexpr std::uint32_t kMaxErrno = 4095;
constexpr std::uint32_t kMaxTraceData = 65535;
constexpr std::uint32_t kMaxArgumentIndex = 5;

SeccompAction lower_action(Problems& problems, std::string_view name, std::string_view pointer) {
  if (const SeccompAction* action = find(kSeccompActions, name); action != nullptr) {
    return *action;
  }
  problems.add(pointer, quoted(name), one_of(kSeccompActions));
  return SeccompAction::kKillProcess;
}

std::uint16_t lower_errno(Problems& problems, const std::optional<std::uint32_t>& value, SeccompAction action,
                          std::string_view pointer) {
  if (!value) {
    return kDefaultErrno;
  }
  if (action != SeccompAction::kErrno && action != SeccompAction::kTrace) {
    problems.add(pointer, fmt::format("{}", *value), "nothing: only SCMP_ACT_ERRNO and SCMP_ACT_TRACE return a number");
    return kDefaultErrno;
  }
  const std::uint32_t maximum = action == SeccompAction::kErrno ? kMaxErrno : kMaxTraceData;
  if (*value > maximum) {
    problems.add(pointer, fmt::format("{}", *value), fmt::format("an integer from 0 to {}", maximum));
  }
  return static_cast<std::uint16_t>(*value);
}

std::vector<SeccompArgument> lower_arguments(Problems& problems, const spec::SeccompSyscall& entry, std::size_t rule) {
  std::vector<SeccompArgument> arguments;
  arguments.reserve(entry.arguments.size());
  for (std::size_t index = 0; index < entry.arguments.size(); ++index) {
    const spec::SeccompArgument& argument = entry.arguments[index];
    const auto pointer = [&](std::string_view name) {
      return fmt::format("/linux/seccomp/syscalls/{}/args/{}/{}", rule, index, name);
    };
    if (argument.index > kMaxArgumentIndex) {
      problems.add(pointer("index"), fmt::format("{}", argument.index),
                   fmt::format("an integer from 0 to {}", kMaxArgumentIndex));
    }
    const SeccompOperator* op = find(kSeccompOperators, argument.op);
    if (op == nullptr) {
      problems.add(pointer("op"), quoted(argument.op), one_of(kSeccompOperators));
      continue;
    }
    arguments.push_back({argument.index, *op, argument.value, argument.value_two});
  }
  return arguments;
}

SeccompRule lower_rule(Problems& problems, const spec::SeccompSyscall& entry, std::size_t index) {
  const auto pointer = [&](std::string_view name) { return fmt::format("/linux/seccomp/syscalls/{}/{}", index, name); };
  SeccompRule rule;
  rule.names = entry.names;
  if (rule.names.empty()) {
    problems.add(pointer("names"), "an empty array", "the name of a system call");
  }
  for (std::size_t name = 0; name < rule.names.size(); ++name) {
    if (rule.names[name].empty()) {
      problems.add(fmt::format("{}/{}", pointer("names"), name), "\"\"", "the name of a system call");
    }
  }
  rule.action = lower_action(problems, entry.action, pointer("action"));
  rule.errno_return = lower_errno(problems, entry.errno_return, rule.action, pointer("errnoRet"));
  rule.arguments = lower_arguments(problems, entry, index);
  return rule;
}

std::uint64_t lower_flags(Problems& problems, const std::vector<std::string>& flags) {
  std::uint64_t mask = 0;
  for (std::size_t index = 0; index < flags.size(); ++index) {
    if (const std::uint64_t* flag = find(kSeccompFlags, flags[index]); flag != nullptr) {
      mask |= *flag;
      continue;
    }
    problems.add(fmt::format("/linux/seccomp/flags/{}", index), quoted(flags[index]), one_of(kSeccompFlags));
  }
  return mask;
}

bool notifies(const Seccomp& plan) {
  const auto notify = [](const SeccompRule& rule) { return rule.action == SeccompAction::kNotify; };
  return plan.default_action == SeccompAction::kNotify || std::ranges::any_of(plan.rules, notify);
}

void lower_listener(Lowering& lowering, const spec::Seccomp& entry, Seccomp& plan) {
  Problems& problems = lowering.problems;
  plan.listener_path = entry.listener_path;
  plan.listener_metadata = entry.listener_metadata;
  std::string_view pointer = "/linux/seccomp/listenerPath";
  if (plan.listener_path.empty()) {
    // "This field MUST NOT be set if listenerPath is not set" (config-linux.md).
    if (!entry.listener_metadata.empty()) {
      problems.add("/linux/seccomp/listenerMetadata", quoted(entry.listener_metadata), "nothing without listenerPath");
    }
    if (const std::string* receiver = annotation(lowering, "run.oci.seccomp.receiver"); receiver != nullptr) {
      plan.listener_path = *receiver;
      pointer = "/annotations/run.oci.seccomp.receiver";
    }
  }
  if (!plan.listener_path.empty() && !plan.listener_path.starts_with('/')) {
    problems.add(pointer, quoted(plan.listener_path), "an absolute path");
  } else if (plan.listener_path.empty() && notifies(plan)) {
    problems.add(pointer, "nothing", "the path of the socket that gets the notifications of SCMP_ACT_NOTIFY");
  }
}

// crun's way to bring a compiled filter: it counts instead of linux.seccomp.
void lower_program(Lowering& lowering, const std::string& text, Seccomp& plan) {
  const std::optional<std::string> bytes = decode_base64(text);
  if (!bytes || bytes->empty() || bytes->size() % sizeof(sock_filter) != 0) {
    lowering.problems.add("/annotations/run.oci.seccomp_bpf_data", quoted(text),
                          "the base64 of an array of struct sock_filter");
    return;
  }
  plan.program.resize(bytes->size() / sizeof(sock_filter));
  std::memcpy(plan.program.data(), bytes->data(), bytes->size());
}

Seccomp lower_profile(Problems& problems, const spec::Seccomp& entry) {
  Seccomp plan;
  plan.default_action = lower_action(problems, entry.default_action, "/linux/seccomp/defaultAction");
  plan.default_errno_return =
      lower_errno(problems, entry.default_errno_return, plan.default_action, "/linux/seccomp/defaultErrnoRet");
  for (std::size_t index = 0; index < entry.architectures.size(); ++index) {
    if (std::ranges::find(kSeccompArchitectures, entry.architectures[index]) == kSeccompArchitectures.end()) {
      problems.add(fmt::format("/linux/seccomp/architectures/{}", index), quoted(entry.architectures[index]),
                   "an SCMP_ARCH_ name of the specification, as SCMP_ARCH_X86_64");
    }
  }
  plan.architectures = entry.architectures;
  if (entry.flags) {
    plan.flags = lower_flags(problems, *entry.flags);
  }
  plan.rules.reserve(entry.syscalls.size());
  for (std::size_t index = 0; index < entry.syscalls.size(); ++index) {
    plan.rules.push_back(lower_rule(problems, entry.syscalls[index], index));
  }
  return plan;
}

}  // namespace

void lower_seccomp(Lowering& lowering) {
  const std::optional<spec::Seccomp>& entry = lowering.linux.seccomp;
  const std::string* program = annotation(lowering, "run.oci.seccomp_bpf_data");
  if (!entry && program == nullptr) {
    return;
  }
  Seccomp plan;
  if (program != nullptr) {
    lower_program(lowering, *program, plan);
  } else {
    plan = lower_profile(lowering.problems, *entry);
  }
  lower_listener(lowering, entry.value_or(spec::Seccomp()), plan);
  plan.fail_unknown = annotation(lowering, "run.oci.seccomp_fail_unknown_syscall") != nullptr;
  lowering.plan.seccomp = std::move(plan);
}

}  // namespace berth::plan
