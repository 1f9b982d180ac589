#include <berth/base/log.hpp>
#include <berth/plan/capabilities.hpp>

#include <algorithm>
#include <array>

#include "plan/lowering.hpp"

namespace berth::plan {
namespace {

using spec::quoted;

// linux/capability.h, in the order of the numbers.
constexpr std::array<std::string_view, 41> kCapabilities = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};

// "Runtimes SHOULD NOT fail if the container configuration requests capabilities that cannot be granted": a name that
// this program or this kernel does not know is left out, with a warning.
std::uint64_t known_mask(const HostFacts& facts, const std::vector<std::string>& names, std::string_view set) {
  std::uint64_t mask = 0;
  for (std::size_t index = 0; index < names.size(); ++index) {
    const std::optional<unsigned> number = capability_number(names[index]);
    const std::uint64_t bit = number ? std::uint64_t{1} << *number : 0;
    if ((bit & facts.capabilities) == 0) {
      log::warning("/process/capabilities/{}/{}: {} is left out: {} does not know it", set, index, quoted(names[index]),
                   number ? "this kernel" : "berth");
      continue;
    }
    mask |= bit;
  }
  return mask;
}

// What is not in `within` the kernel would refuse, and the whole set with it: "Any value which ... cannot be granted
// otherwise, MUST be logged as a warning by the runtime. Runtimes SHOULD NOT fail" (config.md, capabilities).
std::uint64_t grantable(std::uint64_t mask, std::uint64_t within, std::string_view set, std::string_view reason) {
  for (unsigned number = 0; number < kCapabilities.size(); ++number) {
    if (((mask & ~within) >> number & 1U) != 0) {
      log::warning("/process/capabilities/{}: {} is left out: {}", set, quoted(kCapabilities[number]), reason);
    }
  }
  return mask & within;
}

}  // namespace

std::span<const std::string_view> capability_names() {
  return kCapabilities;
}

std::optional<unsigned> capability_number(std::string_view name) {
  const auto found = std::ranges::find(kCapabilities, name);
  if (found == kCapabilities.end()) {
    return std::nullopt;
  }
  return static_cast<unsigned>(found - kCapabilities.begin());
}

void lower_capabilities(Lowering& lowering, const spec::Capabilities& entry) {
  const HostFacts& facts = lowering.facts;
  Capabilities plan;
  plan.bounding = known_mask(facts, entry.bounding, "bounding");
  plan.permitted = known_mask(facts, entry.permitted, "permitted");
  // capabilities(7), "Programmatically adjusting capability sets", and PR_CAP_AMBIENT_RAISE in prctl(2).
  plan.effective =
      grantable(known_mask(facts, entry.effective, "effective"), plan.permitted, "effective", "it is not in permitted");
  plan.inheritable = grantable(known_mask(facts, entry.inheritable, "inheritable"), plan.bounding, "inheritable",
                               "it is not in bounding");
  plan.ambient = grantable(known_mask(facts, entry.ambient, "ambient"), plan.permitted & plan.inheritable, "ambient",
                           "it is not in both permitted and inheritable");
  lowering.plan.process.capabilities = plan;
}

}  // namespace berth::plan
