#include <algorithm>

#include "plan/lowering.hpp"
#include "plan/namespace_names.hpp"

namespace berth::plan {
namespace {

using spec::Problems;
using spec::quoted;

// The kernel's limits: UID_GID_MAP_MAX_EXTENTS, and __NEW_UTS_LEN for host and domain names.
constexpr std::size_t kMaxIdMappings = 340;
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

// Whether two entries have an id in common; `first` says which of the two sides.
bool overlap(const IdMapping& left, const IdMapping& right, std::uint32_t IdMapping::*first) {
  return left.*first < std::uint64_t{right.*first} + right.size &&
         right.*first < std::uint64_t{left.*first} + left.size;
}

// One map, by the rules of user_namespaces(7).
std::vector<IdMapping> lower_id_map(Problems& problems, const std::vector<spec::IdMapping>& entries,
                                    std::string_view name) {
  std::vector<IdMapping> map;
  map.reserve(entries.size());
  if (entries.size() > kMaxIdMappings) {
    problems.add(fmt::format("/linux/{}", name), fmt::format("{} entries", entries.size()),
                 fmt::format("at most {}", kMaxIdMappings));
    return map;
  }
  for (std::size_t index = 0; index < entries.size(); ++index) {
    const IdMapping entry{entries[index].container_id, entries[index].host_id, entries[index].size};
    const std::string pointer = fmt::format("/linux/{}/{}", name, index);
    const std::uint64_t last = std::uint64_t{std::max(entry.container_id, entry.host_id)} + entry.size;
    if (entry.size == 0) {
      problems.add(pointer + "/size", "0", "at least 1");
    } else if (last > UINT32_MAX) {
      problems.add(pointer + "/size", fmt::format("{}", entry.size), "a range that ends below id 4294967295");
    } else if (std::ranges::any_of(map, [&](const IdMapping& other) {
                 return overlap(entry, other, &IdMapping::container_id) || overlap(entry, other, &IdMapping::host_id);
               })) {
      problems.add(pointer, "ids that an earlier entry maps", "ranges that do not overlap");
    } else {
      map.push_back(entry);
    }
  }
  return map;
}

void lower_id_maps(Lowering& lowering) {
  Namespaces& plan = lowering.plan.namespaces;
  const auto lower_one = [&](const std::vector<spec::IdMapping>& entries, std::string_view name) {
    const std::string pointer = fmt::format("/linux/{}", name);
    if (plan.creates(CLONE_NEWUSER) && entries.empty()) {
      lowering.problems.add(pointer, "nothing", "a mapping, for the new user namespace");
    } else if (plan.joins(CLONE_NEWUSER) && !entries.empty()) {
      lowering.problems.add(pointer, "a mapping", "none: the user namespace that is joined has its own");
    } else if (!plan.has(CLONE_NEWUSER) && !entries.empty()) {
      lowering.problems.add(pointer, "a mapping", "a user namespace in /linux/namespaces");
    }
    return lower_id_map(lowering.problems, entries, name);
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
