#include <algorithm>

#include "plan/lowering.hpp"

namespace berth::plan {
namespace {

using spec::quoted;

// "If l3CacheSchema contains a line beginning with MB:, the value written to schemata file MUST be the non-MB: line(s)
// from l3CacheSchema and the line from memBwSchema" (config-linux.md).
std::string combined(std::string_view cache, const std::string& bandwidth) {
  std::string lines;
  while (!cache.empty()) {
    const std::string_view line = cache.substr(0, cache.find('\n'));
    cache.remove_prefix(std::min(cache.size(), line.size() + 1));
    if (!line.empty() && (bandwidth.empty() || !line.starts_with("MB:"))) {
      lines += lines.empty() ? "" : "\n";
      lines += line;
    }
  }
  if (!bandwidth.empty()) {
    lines += lines.empty() ? "" : "\n";
    lines += bandwidth;
  }
  return lines;
}

bool is_class_name(std::string_view name) {
  // resctrl has directories of its own by these names.
  return name != "." && name != ".." && name != "info" && name != "mon_groups" && name != "mon_data" &&
         name.find_first_of("/\n") == std::string_view::npos;
}

}  // namespace

void lower_intel_rdt(Lowering& lowering) {
  if (!lowering.linux.intel_rdt) {
    return;
  }
  const spec::IntelRdt& entry = *lowering.linux.intel_rdt;
  IntelRdt plan{.clos_id = entry.clos_id,
                .schemas = combined(entry.l3_cache_schema, entry.memory_bandwidth_schema),
                .schemata = fmt::format("{}", fmt::join(entry.schemata, "\n")),
                .enable_monitoring = entry.enable_monitoring};
  if (plan.clos_id != "/" && !is_class_name(plan.clos_id)) {
    lowering.problems.add("/linux/intelRdt/closID", quoted(plan.clos_id),
                          "the name of a directory of resctrl, or / for the default class");
  }
  const std::string& bandwidth = entry.memory_bandwidth_schema;
  if (!bandwidth.empty() && (!bandwidth.starts_with("MB:") || bandwidth.find('\n') != std::string::npos)) {
    lowering.problems.add("/linux/intelRdt/memBwSchema", quoted(bandwidth), "one line that starts with MB:");
  }
  for (std::size_t index = 0; index < entry.schemata.size(); ++index) {
    if (entry.schemata[index].empty() || entry.schemata[index].find('\n') != std::string::npos) {
      lowering.problems.add(fmt::format("/linux/intelRdt/schemata/{}", index), quoted(entry.schemata[index]),
                            "one line of a schemata file");
    }
  }
  lowering.plan.intel_rdt = std::move(plan);
}

}  // namespace berth::plan
