#include "plan/id_mappings.hpp"

#include <algorithm>

namespace berth::plan {
namespace {

using spec::Problems;

constexpr std::size_t kMaxIdMappings = 340;  // UID_GID_MAP_MAX_EXTENTS of the kernel

// Whether two entries have an id in common; `first` says which of the two sides.
bool overlap(const IdMapping& left, const IdMapping& right, std::uint32_t IdMapping::*first) {
  return left.*first < std::uint64_t{right.*first} + right.size &&
         right.*first < std::uint64_t{left.*first} + left.size;
}

}  // namespace

std::vector<IdMapping> lower_id_map(Problems& problems, const std::vector<spec::IdMapping>& entries,
                                    const std::string& pointer) {
  std::vector<IdMapping> map;
  map.reserve(entries.size());
  if (entries.size() > kMaxIdMappings) {
    problems.add(pointer, fmt::format("{} entries", entries.size()), fmt::format("at most {}", kMaxIdMappings));
    return map;
  }
  for (std::size_t index = 0; index < entries.size(); ++index) {
    const IdMapping entry{entries[index].container_id, entries[index].host_id, entries[index].size};
    const std::string at = fmt::format("{}/{}", pointer, index);
    const std::uint64_t last = std::uint64_t{std::max(entry.container_id, entry.host_id)} + entry.size;
    if (entry.size == 0) {
      problems.add(at + "/size", "0", "at least 1");
    } else if (last > UINT32_MAX) {
      problems.add(at + "/size", fmt::format("{}", entry.size), "a range that ends below id 4294967295");
    } else if (std::ranges::any_of(map, [&](const IdMapping& other) {
                 return overlap(entry, other, &IdMapping::container_id) || overlap(entry, other, &IdMapping::host_id);
               })) {
      problems.add(at, "ids that an earlier entry maps", "ranges that do not overlap");
    } else {
      map.push_back(entry);
    }
  }
  return map;
}

}  // namespace berth::plan
