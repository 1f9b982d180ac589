#include "plan/id_mappings.hpp"
#include "plan/lowering.hpp"
#include "plan/namespace_names.hpp"

namespace berth::plan {
namespace {

using spec::Problems;
using spec::quoted;

// __NEW_UTS_LEN of the kernel: host and domain names.
constexpr std::size_t kMaxUtsName = 64;
// KTIME_SEC_MAX: a clock has 2^63 nanoseconds.
constexpr std::int64_t kMaxTimeOffset = 9'223'372'036;

void lower_namespace_list(Lowering& lowering) {
  Namespaces& plan = lowering.plan.namespaces;
  for (std::size_t index = 0; index < lowering.linux.namespaces.size(); ++index) {
    const spec::Namespace& entry = lowering.linux.namespaces[index];
    const auto pointer = [&](std::string_view name) { return fmt::format("/linux/namespaces/{}/{}", index, name); };
    const int* flag = find(kNamespaces, entry.type);
    if (flag == nullptr) {
      lowering.problems.add(pointer("type"), quoted(entry.type), one_of(kNamespaces));
      continue;
    }
    if (plan.has(*flag)) {
      lowering.problems.add(pointer("type"), quoted(entry.type) + " again", "each type once");
      continue;
    }
    if (entry.path.empty()) {
      plan.created |= static_cast<std::uint64_t>(*flag);
    } else if (entry.path.front() == '/') {
      plan.joined.push_back({*flag, entry.path});
    } else {
      lowering.problems.add(pointer("path"), quoted(entry.path), "an absolute path");
    }
  }
}

void lower_id_maps(Lowering& lowering) {
  Namespaces& plan = lowering.plan.namespaces;
  const auto lower_one = [&](const std::vector<spec::IdMapping>& entries, std::string_view name) {
    const std::string pointer = fmt::format("/linux/{}", name);
    if (plan.creates(CLONE_NEWUSER) && entries.empty()) {
      lowering.problems.add(pointer, "nothing", "a mapping, for the new user namespace");
    } else if (!plan.has(CLONE_NEWUSER) && !entries.empty()) {
      lowering.problems.add(pointer, "a mapping", "a user namespace in /linux/namespaces");
    }
    return lower_id_map(lowering.problems, entries, pointer);
  };
  plan.uid_mappings = lower_one(lowering.linux.uid_mappings, "uidMappings");
  plan.gid_mappings = lower_one(lowering.linux.gid_mappings, "gidMappings");
  // Without privilege on the host, nothing can be set up but in a user namespace of one's own.
  if (lowering.facts.rootless && lowering.facts.euid != 0 && !plan.has(CLONE_NEWUSER)) {
    lowering.problems.add("/linux/namespaces", "no user namespace", "one, in a rootless container");
  }
}

void lower_time_offsets(Lowering& lowering) {
  Namespaces& plan = lowering.plan.namespaces;
  for (const auto& [clock, offset] : lowering.linux.time_offsets) {
    const std::string pointer = "/linux/timeOffsets" + spec::pointer_step(clock);
    if (clock != "monotonic" && clock != "boottime") {
      lowering.problems.add(pointer, quoted(clock), "one of monotonic, boottime");
      continue;
    }
    if (!plan.creates(CLONE_NEWTIME)) {
      lowering.problems.add(pointer, "an offset", "a new time namespace in /linux/namespaces");
    }
    if (offset.seconds < -kMaxTimeOffset || offset.seconds > kMaxTimeOffset) {
      lowering.problems.add(pointer + "/secs", fmt::format("{}", offset.seconds),
                            fmt::format("an integer from -{} to {}", kMaxTimeOffset, kMaxTimeOffset));
    }
    if (offset.nanoseconds > 999'999'999) {
      lowering.problems.add(pointer + "/nanosecs", fmt::format("{}", offset.nanoseconds),
                            "an integer from 0 to 999999999");
    }
    plan.time_offsets.push_back({clock, offset.seconds, offset.nanoseconds});
  }
}

std::string lower_uts_name(Lowering& lowering, const std::string& name, std::string_view pointer) {
  if (name.empty()) {
    return {};
  }
  if (!lowering.plan.namespaces.has(CLONE_NEWUTS)) {
    lowering.problems.add(pointer, quoted(name), "a uts namespace in /linux/namespaces: the name would be the host's");
  }
  if (name.size() > kMaxUtsName) {
    lowering.problems.add(pointer, quoted(name), fmt::format("at most {} bytes", kMaxUtsName));
  }
  return name;
}

}  // namespace

void lower_namespaces(Lowering& lowering) {
  lower_namespace_list(lowering);
  lower_id_maps(lowering);
  lower_time_offsets(lowering);
  lowering.plan.namespaces.hostname = lower_uts_name(lowering, lowering.config.hostname, "/hostname");
  lowering.plan.namespaces.domainname = lower_uts_name(lowering, lowering.config.domainname, "/domainname");
}

}  // namespace berth::plan
