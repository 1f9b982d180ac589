#include <berth/security/seccomp.hpp>
#include <berth/sys/seccomp.hpp>

#include <linux/bpf_common.h>
#include <linux/seccomp.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include "security/filter_cache.hpp"
#include "security/filter_prologue.hpp"
#include "security/libseccomp_filter.hpp"
#include "security/system_calls.hpp"

namespace berth::security {
namespace {

// Whether calls that the profile's author could not know need an answer of their own. A permissive default lets them
// reach the kernel, which gives the right one itself, and a tracer emulates calls and must see them all.
bool hides_new_calls(const plan::Seccomp& seccomp) {
  switch (seccomp.default_action) {
    case plan::SeccompAction::kAllow:
    case plan::SeccompAction::kLog:
    case plan::SeccompAction::kTrace:
    case plan::SeccompAction::kNotify:
      return false;
    case plan::SeccompAction::kErrno:
      return seccomp.default_errno_return != ENOSYS;
    default:
      return true;
  }
}

scmp_compare comparison(plan::SeccompOperator op) {
  switch (op) {
    case plan::SeccompOperator::kNe:
      return SCMP_CMP_NE;
    case plan::SeccompOperator::kLt:
      return SCMP_CMP_LT;
    case plan::SeccompOperator::kLe:
      return SCMP_CMP_LE;
    case plan::SeccompOperator::kEq:
      return SCMP_CMP_EQ;
    case plan::SeccompOperator::kGe:
      return SCMP_CMP_GE;
    case plan::SeccompOperator::kGt:
      return SCMP_CMP_GT;
    case plan::SeccompOperator::kMaskedEq:
      return SCMP_CMP_MASKED_EQ;
  }
  std::unreachable();
}

std::vector<scmp_arg_cmp> conditions_of(const plan::SeccompRule& rule) {
  std::vector<scmp_arg_cmp> conditions;
  for (const plan::SeccompArgument& argument : rule.arguments) {
    conditions.push_back({argument.index, comparison(argument.op), argument.value, argument.value_two});
  }
  return conditions;
}

bool repeats_an_index(const plan::SeccompRule& rule) {
  std::uint64_t seen = 0;
  for (const plan::SeccompArgument& argument : rule.arguments) {
    const std::uint64_t bit = std::uint64_t{1} << (argument.index & 63U);
    if ((seen & bit) != 0) {
      return true;
    }
    seen |= bit;
  }
  return false;
}

Status add_rule(LibseccompFilter& filter, const plan::SeccompRule& rule, const SystemCalls& calls, bool multiplexing) {
  const std::uint32_t action = action_value(rule.action, rule.errno_return);
  const std::vector<scmp_arg_cmp> conditions = conditions_of(rule);
  const bool alternatives = repeats_an_index(rule);
  for (const std::string& name : rule.names) {
    const NamedCall* call = calls.find(name);
    if (call == nullptr || !call->needs_libseccomp(multiplexing)) {
      continue;
    }
    if (!alternatives) {
      TRY(filter.add_rule(name, call->native_number, action, conditions));
      continue;
    }
    // libseccomp compares each argument once. Profiles written for Docker and runc mean a list of alternatives when
    // they name an argument twice; all runtimes take them so.
    for (const scmp_arg_cmp& condition : conditions) {
      TRY(filter.add_rule(name, call->native_number, action, {&condition, 1}));
    }
  }
  return {};
}

// Where parts of socketcall(2) have rules, those without arguments go first. That call shows no filter its arguments,
// so that rules for the arguments of a part contradict each other (EEXIST) unless a rule for all of socketcall(2) is
// there already and covers them, wherever the profile has it.
std::vector<const plan::SeccompRule*> in_order(const std::vector<plan::SeccompRule>& rules, bool multiplexing) {
  std::vector<const plan::SeccompRule*> ordered;
  for (const plan::SeccompRule& rule : rules) {
    ordered.push_back(&rule);
  }
  if (multiplexing) {
    std::ranges::stable_partition(ordered, [](const plan::SeccompRule* rule) { return rule->arguments.empty(); });
  }
  return ordered;
}

// The interfaces that multiplex need some thirty rules more than the others, and a filter gives each of its rules to
// all of its interfaces: hence one filter for either kind, put together at the end.
Result<std::vector<sock_filter>> compile_rules(const plan::Seccomp& seccomp, const std::vector<Abi>& abis,
                                               const SystemCalls& calls) {
  const std::uint32_t default_action = action_value(seccomp.default_action, seccomp.default_errno_return);
  std::optional<LibseccompFilter> whole;
  for (const bool multiplexing : {false, true}) {
    std::vector<Abi> of_kind;
    for (std::size_t abi = 0; abi < abis.size(); ++abi) {
      if (calls.multiplexes(abi) == multiplexing) {
        of_kind.push_back(abis[abi]);
      }
    }
    if (of_kind.empty()) {
      continue;
    }
    LibseccompFilter filter = TRY(LibseccompFilter::create(default_action, of_kind));
    for (const plan::SeccompRule* rule : in_order(seccomp.rules, multiplexing)) {
      // libseccomp refuses a rule that repeats the default action.
      if (action_value(rule->action, rule->errno_return) != default_action) {
        TRY(add_rule(filter, *rule, calls, multiplexing));
      }
    }
    if (whole) {
      TRY(whole->merge(std::move(filter)));
    } else {
      whole = std::move(filter);
    }
  }
  return whole->compile();
}

Status check_names(const plan::Seccomp& seccomp, const SystemCalls& calls) {
  for (std::size_t rule = 0; rule < seccomp.rules.size(); ++rule) {
    const std::vector<std::string>& names = seccomp.rules[rule].names;
    for (std::size_t index = 0; index < names.size(); ++index) {
      if (calls.find(names[index]) == nullptr) {
        return fail(
            ErrorKind::kConfig,
            "/linux/seccomp/syscalls/{}/names/{}: got \"{}\", expected a system call that libseccomp knows (the "
            "annotation run.oci.seccomp_fail_unknown_syscall is set)",
            rule, index, one_line(names[index]));
      }
    }
  }
  return {};
}

Result<std::vector<sock_filter>> compile_profile(const plan::Seccomp& seccomp) {
  const std::vector<Abi> abis = TRY(resolve_architectures(seccomp.architectures));
  const SystemCalls calls(seccomp, abis);
  TRY(seccomp.fail_unknown ? check_names(seccomp, calls) : Status());
  // Number and architecture decide nearly all of a profile: those are a search in the prologue. libseccomp gets the
  // rest, as it takes 8 to 13 ms to compile an engine's whole profile.
  std::vector<sock_filter> instructions = make_prologue(calls.tables(hides_new_calls(seccomp)));
  const std::vector<sock_filter> rules = TRY(compile_rules(seccomp, abis, calls));
  instructions.insert(instructions.end(), rules.begin(), rules.end());
  return instructions;
}

// A return of a value that the program computes is one of the kernel's other actions: no compiler writes such a one.
bool has_notification(std::span<const sock_filter> program) {
  return std::ranges::any_of(program, [](const sock_filter& instruction) {
    return instruction.code == (BPF_RET | BPF_K) && (instruction.k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_USER_NOTIF;
  });
}

Result<std::vector<sock_filter>> find_or_compile(const plan::Seccomp& seccomp, const FilterCache& cache) {
  const std::string key = filter_key(seccomp);
  if (auto found = cache.find(key)) {
    return *std::move(found);
  }
  std::vector<sock_filter> filter = TRY(compile_profile(seccomp));
  cache.keep(key, filter);
  return filter;
}

}  // namespace

Result<FilterProgram> FilterProgram::compile(const plan::Seccomp& seccomp, const std::string& cache) {
  FilterProgram program;
  program.instructions_ = seccomp.program.empty() ? TRY(find_or_compile(seccomp, FilterCache(cache))) : seccomp.program;
  if (program.instructions_.size() > BPF_MAXINSNS) {
    return fail(ErrorKind::kConfig, "/linux/seccomp: the filter has {} instructions, the kernel takes {}",
                program.instructions_.size(), BPF_MAXINSNS);
  }
  program.notifies_ = has_notification(program.instructions_);
  if (program.notifies_ && seccomp.listener_path.empty()) {
    return fail(ErrorKind::kConfig,
                "/linux/seccomp/listenerPath: got nothing, expected the path of the socket that gets "
                "the notifications of SCMP_ACT_NOTIFY");
  }
  program.flags_ = seccomp.flags;
  return program;
}

std::uint64_t FilterProgram::load_flags() const {
  // The kernel takes this flag with a listener only.
  return flags_ & ~std::uint64_t{SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV};
}

Status FilterProgram::load() const {
  TRY(sys::set_seccomp_filter(instructions_, load_flags()));
  return {};
}

Result<int> FilterProgram::load_with_listener() const {
  return sys::set_seccomp_filter(instructions_, flags_ | SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

}  // namespace berth::security
