// What the rules of a seccomp profile name, resolved to numbers, and which of them need libseccomp.
#pragma once

#include <berth/base/error.hpp>
#include <berth/plan/container_plan.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "security/filter_prologue.hpp"

namespace berth::security {

/// A system call interface of the filter. x86_64 and x32 share an audit architecture and split its numbers.
struct Abi {
  std::uint32_t token = 0;       ///< SCMP_ARCH_* of <seccomp.h>
  std::uint32_t audit_arch = 0;  ///< as seccomp_data.arch has it
  std::uint32_t last = ~0U;      ///< the highest number that is this interface's
  std::string name;              ///< as the specification writes it: SCMP_ARCH_X86
};

/// SCMP_RET_* and data of an action.
[[nodiscard]] std::uint32_t action_value(plan::SeccompAction action, std::uint16_t errno_return);

/// The native architecture first, then those of linux.seccomp.architectures, each once.
Result<std::vector<Abi>> resolve_architectures(const std::vector<std::string>& names);

/// A system call that the profile names.
struct NamedCall {
  std::string_view name;
  int native_number = 0;  ///< or libseccomp's pseudo number
  /// Of its rules that say something else than the default action; meaningless if there are none.
  std::uint32_t action = 0;
  bool has_rule = false;
  /// Its rules have no arguments and one action: number and architecture decide.
  bool plain = true;
  /// Reached through socketcall(2) or ipc(2) too on one of the architectures, or one of these two. libseccomp must know
  /// a rule for all of socketcall(2): it covers what the parts say, which could contradict each other without it.
  bool multiplexed = false;
  /// Whether libseccomp must know its rules for an interface.
  [[nodiscard]] bool needs_libseccomp(bool interface_multiplexes) const {
    return has_rule && (!plain || (multiplexed && interface_multiplexes));
  }
};

/// All calls of a profile that libseccomp knows. Refers to the profile's names.
class SystemCalls {
 public:
  /// The first of `abis` is the native one.
  SystemCalls(const plan::Seccomp& seccomp, const std::vector<Abi>& abis);

  /// nullptr for a name that libseccomp does not know.
  [[nodiscard]] const NamedCall* find(std::string_view name) const;
  /// Whether some of the calls go through socketcall(2) or ipc(2) on this interface.
  [[nodiscard]] bool multiplexes(std::size_t abi) const { return multiplexes_[abi]; }
  /// What number and architecture decide. With `unknown_is_enosys`, calls newer than all that the profile names for
  /// an interface answer ENOSYS.
  [[nodiscard]] std::vector<ArchitectureTable> tables(bool unknown_is_enosys) const;

 private:
  struct NumberedCall {
    int number = 0;
    std::size_t call = 0;
  };

  void add(std::string_view name, const plan::SeccompRule& rule, std::uint32_t default_action);
  void resolve(NamedCall& call);
  void append_ranges(std::size_t abi, bool unknown_is_enosys, std::vector<CallRange>& ranges) const;

  const std::vector<Abi>& abis_;
  std::vector<NamedCall> calls_;
  std::vector<std::vector<NumberedCall>> by_number_;  ///< of each interface, the calls that it has, ascending
  std::vector<bool> multiplexes_;
  std::unordered_map<std::string_view, std::size_t> indices_;
};

}  // namespace berth::security
