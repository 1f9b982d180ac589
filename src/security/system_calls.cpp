#include "security/system_calls.hpp"

#include <seccomp.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace berth::security {
namespace {

constexpr std::uint32_t kX32Bit = 0x4000'0000;

// libseccomp's pseudo numbers: -1XX for socketcall(2)'s and -2XX for ipc(2)'s parts, below -10000 for calls that an
// architecture lacks.
bool is_multiplexed(int number) {
  constexpr int kFirst = -100;
  constexpr int kLast = -299;
  return number <= kFirst && number >= kLast;
}

// setup(2) is call 0 of s390. The kernel leaves 0 in place of a large number that it does not know, so that new calls
// arrive as this one, which nothing uses.
bool is_s390(const Abi& abi) {
  return abi.token == SCMP_ARCH_S390 || abi.token == SCMP_ARCH_S390X;
}

Abi make_abi(std::uint32_t token, std::string name) {
  Abi abi = {.token = token, .audit_arch = token, .last = ~0U, .name = std::move(name)};
  if (token == SCMP_ARCH_X32) {
    abi.audit_arch = SCMP_ARCH_X86_64;
  } else if (token == SCMP_ARCH_X86_64) {
    abi.last = kX32Bit - 1;
  }
  return abi;
}

}  // namespace

std::uint32_t action_value(plan::SeccompAction action, std::uint16_t errno_return) {
  switch (action) {
    case plan::SeccompAction::kKillProcess:
      return SCMP_ACT_KILL_PROCESS;
    case plan::SeccompAction::kKillThread:
      return SCMP_ACT_KILL_THREAD;
    case plan::SeccompAction::kTrap:
      return SCMP_ACT_TRAP;
    case plan::SeccompAction::kErrno:
      return SCMP_ACT_ERRNO(errno_return);
    case plan::SeccompAction::kTrace:
      return SCMP_ACT_TRACE(errno_return);
    case plan::SeccompAction::kLog:
      return SCMP_ACT_LOG;
    case plan::SeccompAction::kAllow:
      return SCMP_ACT_ALLOW;
    case plan::SeccompAction::kNotify:
      return SCMP_ACT_NOTIFY;
  }
  std::unreachable();
}

Result<std::vector<Abi>> resolve_architectures(const std::vector<std::string>& names) {
  // The native one belongs to every filter of libseccomp: without it the container's program could not even exec.
  std::vector<Abi> abis = {make_abi(::seccomp_arch_native(), "native")};
  for (const std::string& name : names) {
    constexpr std::string_view kPrefix = "SCMP_ARCH_";
    std::string libseccomp_name = name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name;
    std::ranges::transform(libseccomp_name, libseccomp_name.begin(),
                           [](char letter) { return letter >= 'A' && letter <= 'Z' ? char(letter | 0x20) : letter; });
    const std::uint32_t token = ::seccomp_arch_resolve_name(libseccomp_name.c_str());
    if (token == 0) {
      const scmp_version* version = ::seccomp_version();
      return fail(ErrorKind::kConfig, "/linux/seccomp/architectures: libseccomp {}.{}.{} does not know \"{}\"",
                  version->major, version->minor, version->micro, name);
    }
    if (std::ranges::find(abis, token, &Abi::token) == abis.end()) {
      abis.push_back(make_abi(token, name));
    }
  }
  return abis;
}

SystemCalls::SystemCalls(const plan::Seccomp& seccomp, const std::vector<Abi>& abis)
    : abis_(abis), by_number_(abis.size()), multiplexes_(abis.size()) {
  const std::uint32_t default_action = action_value(seccomp.default_action, seccomp.default_errno_return);
  for (const plan::SeccompRule& rule : seccomp.rules) {
    for (const std::string& name : rule.names) {
      add(name, rule, default_action);
    }
  }
  // No two names of an interface share a number in libseccomp's tables.
  for (std::vector<NumberedCall>& numbered : by_number_) {
    std::ranges::sort(numbered, {}, &NumberedCall::number);
  }
}

void SystemCalls::add(std::string_view name, const plan::SeccompRule& rule, std::uint32_t default_action) {
  const auto [entry, is_new] = indices_.try_emplace(name, calls_.size());
  if (is_new) {
    NamedCall call = {.name = name};
    resolve(call);
    if (call.native_number == __NR_SCMP_ERROR) {
      indices_.erase(entry);
      return;
    }
    calls_.push_back(call);
  }
  const std::uint32_t action = action_value(rule.action, rule.errno_return);
  if (action == default_action) {
    return;
  }
  NamedCall& call = calls_[entry->second];
  call.plain &= rule.arguments.empty() && (!call.has_rule || call.action == action);
  call.action = action;
  call.has_rule = true;
}

void SystemCalls::resolve(NamedCall& call) {
  call.multiplexed = call.name == "socketcall" || call.name == "ipc";
  for (std::size_t abi = 0; abi < abis_.size(); ++abi) {
    // The views are of whole std::strings, so that data() ends with a NUL.
    const int number = ::seccomp_syscall_resolve_name_arch(abis_[abi].token, call.name.data());
    if (abi == 0) {
      call.native_number = number;
    }
    if (number >= 0) {
      by_number_[abi].push_back({number, calls_.size()});
    } else if (is_multiplexed(number)) {
      call.multiplexed = true;
      multiplexes_[abi] = true;
    }
  }
}

const NamedCall* SystemCalls::find(std::string_view name) const {
  const auto entry = indices_.find(name);
  return entry == indices_.end() ? nullptr : &calls_[entry->second];
}

void SystemCalls::append_ranges(std::size_t abi, bool unknown_is_enosys, std::vector<CallRange>& ranges) const {
  const std::vector<NumberedCall>& numbered = by_number_[abi];
  if (numbered.empty()) {
    return;
  }
  std::vector<CallRange> own;
  const bool zero_is_enosys = unknown_is_enosys && is_s390(abis_[abi]);
  if (zero_is_enosys) {
    own.push_back({0, 0, SCMP_ACT_ERRNO(ENOSYS)});
  }
  for (const auto& [resolved, index] : numbered) {
    const NamedCall& call = calls_[index];
    const auto number = static_cast<std::uint32_t>(resolved);
    if (call.has_rule && call.plain && !(zero_is_enosys && number == 0)) {
      own.push_back({number, number, call.action});
    }
  }
  const auto newest = static_cast<std::uint32_t>(numbered.back().number);
  if (unknown_is_enosys) {
    own.push_back({newest + 1, abis_[abi].last, SCMP_ACT_ERRNO(ENOSYS)});
  }
  const std::vector<CallRange> joined = join_ranges(own);
  ranges.insert(ranges.end(), joined.begin(), joined.end());
}

std::vector<ArchitectureTable> SystemCalls::tables(bool unknown_is_enosys) const {
  std::vector<ArchitectureTable> tables;
  for (std::size_t abi = 0; abi < abis_.size(); ++abi) {
    auto table = std::ranges::find(tables, abis_[abi].audit_arch, &ArchitectureTable::audit_arch);
    if (table == tables.end()) {
      table = tables.insert(tables.end(), {.audit_arch = abis_[abi].audit_arch, .ranges = {}});
    }
    append_ranges(abi, unknown_is_enosys, table->ranges);
  }
  for (ArchitectureTable& table : tables) {
    std::ranges::sort(table.ranges, {}, &CallRange::first);
  }
  return tables;
}

}  // namespace berth::security
