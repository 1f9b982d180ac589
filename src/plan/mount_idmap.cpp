#include "plan/mount_idmap.hpp"

#include <sched.h>

#include <algorithm>
#include <charconv>

#include "plan/id_mappings.hpp"

namespace berth::plan {
namespace {

using spec::quoted;

// Takes the text up to the next separator off the front.
std::string_view take(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return part;
}

bool read_number(std::string_view text, std::uint32_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

// One range; why it is none, or empty.
std::string_view read_range(std::string_view text, const std::vector<IdMapping>& container, spec::IdMapping& out) {
  const bool relative = text.starts_with('@');
  text.remove_prefix(relative ? 1 : 0);
  if (!read_number(take(text, '-'), out.container_id) || !read_number(take(text, '-'), out.host_id) ||
      !read_number(text, out.size)) {
    return "ranges FILE_SYSTEM_ID-HOST_ID-SIZE, parted by #";
  }
  if (relative) {
    const auto range = std::ranges::find_if(container, [&](const IdMapping& mapping) {
      return out.container_id >= mapping.container_id && out.container_id - mapping.container_id < mapping.size;
    });
    if (range == container.end()) {
      return "a range that the container's user namespace maps, after @";
    }
    const std::int64_t host_id = std::int64_t{out.host_id} + range->host_id - range->container_id;
    if (host_id < 0 || host_id > UINT32_MAX) {
      return "a range within the ids of the host";
    }
    out.host_id = static_cast<std::uint32_t>(host_id);
  }
  return "";
}

std::vector<IdMapping> read_ranges(Lowering& lowering, const std::string& pointer, std::string_view text,
                                   const std::vector<IdMapping>& container) {
  std::vector<spec::IdMapping> entries;
  while (!text.empty()) {
    const std::string_view range = take(text, '#');
    if (const std::string_view expected = read_range(range, container, entries.emplace_back()); !expected.empty()) {
      lowering.problems.add(pointer, quoted(range), expected);
      return {};
    }
  }
  return lower_id_map(lowering.problems, entries, pointer);
}

void use_mapping_of_the_container(Lowering& lowering, Mount& mount) {
  const Namespaces& namespaces = lowering.plan.namespaces;
  if (!namespaces.has(CLONE_NEWUSER)) {
    lowering.problems.add(mount.pointer + "/options", "an id-mapped mount",
                          "uidMappings and gidMappings, or a user namespace in /linux/namespaces");
  }
  mount.uid_mappings = namespaces.uid_mappings;
  mount.gid_mappings = namespaces.gid_mappings;
}

}  // namespace

bool is_idmap_with_mappings(std::string_view option) {
  return option.starts_with("idmap=") || option.starts_with("ridmap=");
}

void lower_idmap_option(Lowering& lowering, const std::string& pointer, std::string_view option, Mount& mount) {
  const Namespaces& namespaces = lowering.plan.namespaces;
  mount.idmapped = true;
  mount.idmap_recursive = mount.idmap_recursive || option.starts_with('r');
  std::string_view text = option.substr(option.find('=') + 1);
  if (text.empty()) {
    return;
  }
  while (!text.empty()) {
    std::string_view ranges = take(text, ';');
    const std::string_view name = take(ranges, '=');
    if (name == "uids") {
      mount.uid_mappings = read_ranges(lowering, pointer, ranges, namespaces.uid_mappings);
    } else if (name == "gids") {
      mount.gid_mappings = read_ranges(lowering, pointer, ranges, namespaces.gid_mappings);
    } else {
      lowering.problems.add(pointer, quoted(name), "uids=RANGES;gids=RANGES");
      return;
    }
  }
  // The kernel maps no mount by half a mapping.
  if (mount.uid_mappings.empty() || mount.gid_mappings.empty()) {
    lowering.problems.add(pointer, quoted(option), "uids=RANGES;gids=RANGES, both of them");
  }
}

void lower_idmap(Lowering& lowering, const spec::Mount& entry, Mount& mount) {
  const bool own = !entry.uid_mappings.empty() || !entry.gid_mappings.empty();
  if (!own && !mount.idmapped) {
    return;
  }
  // "If specified, it MUST be specified along with" the other (config.md); without the option it is idmap, as in runc.
  mount.idmapped = true;
  if (mount.kind == MountKind::kCgroup || mount.kind == MountKind::kRemount) {
    lowering.problems.add(mount.pointer + "/options", "an id-mapped mount", "a new mount that is not one of cgroups");
  }
  if (!own) {
    if (mount.uid_mappings.empty() && mount.gid_mappings.empty()) {
      use_mapping_of_the_container(lowering, mount);
    }
    return;
  }
  if (!mount.uid_mappings.empty() || !mount.gid_mappings.empty()) {
    lowering.problems.add(mount.pointer + "/options", "idmap with mappings",
                          "them here or in uidMappings and gidMappings");
  }
  mount.uid_mappings = lower_id_map(lowering.problems, entry.uid_mappings, mount.pointer + "/uidMappings");
  mount.gid_mappings = lower_id_map(lowering.problems, entry.gid_mappings, mount.pointer + "/gidMappings");
  if (entry.uid_mappings.empty() != entry.gid_mappings.empty()) {
    lowering.problems.add(mount.pointer + (entry.uid_mappings.empty() ? "/uidMappings" : "/gidMappings"), "nothing",
                          "a mapping of both uids and gids");
  }
}

}  // namespace berth::plan
