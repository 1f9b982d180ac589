#include "cgroup/layout.hpp"

#include <berth/sys/file.hpp>
#include <berth/sys/filesystem.hpp>

#include <fcntl.h>
#include <linux/magic.h>

#include <algorithm>
#include <array>
#include <optional>

namespace berth::cgroup {
namespace {

constexpr const char* kMountRoot = "/sys/fs/cgroup";
constexpr std::string_view kNamePrefix = "name=";
constexpr std::size_t kProcSelfCgroupLimit = 64UL * 1024;
constexpr std::size_t kMountinfoLimit = 64UL * 1024 * 1024;

// SUBSYS() in include/linux/cgroup_subsys.h.
constexpr std::array<std::string_view, 15> kKernelControllers = {
    "cpuset",     "cpu",      "cpuacct", "blkio", "memory", "devices", "freezer", "net_cls",
    "perf_event", "net_prio", "hugetlb", "pids",  "rdma",   "misc",    "debug"};

// mountinfo writes space, tab, newline and backslash as \ooo.
std::string unescape(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](std::size_t offset) { return static_cast<unsigned>(text[i + offset] - '0'); };
    if (text[i] == '\\' && i + 3 < text.size() && digit(1) < 4 && digit(2) < 8 && digit(3) < 8) {
      result += static_cast<char>(digit(1) * 64 + digit(2) * 8 + digit(3));
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

// Whether the super block options of a v1 mount ("rw,cpu,cpuacct" or "rw,xattr,name=systemd") are this hierarchy's.
bool options_name(std::string_view options, std::string_view hierarchy) {
  const std::vector<std::string> given = split(options, ',');
  const auto has = [&](const std::string& option) { return std::ranges::find(given, option) != given.end(); };
  if (is_named_hierarchy(hierarchy)) {
    return has(std::string(kNamePrefix) + std::string(hierarchy));
  }
  return std::ranges::all_of(split(hierarchy, ','), has);
}

bool holds(const Hierarchy& hierarchy) {
  const Result<long> type = sys::filesystem_type_at(hierarchy.root);
  return type && *type == (hierarchy.name.empty() ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC);
}

std::unexpected<Error> no_hierarchy() {
  Error error(ErrorKind::kSystem, fmt::format("no cgroup hierarchy is mounted at {} or elsewhere", kMountRoot));
  error.add_hint("mount -t cgroup2 cgroup2 /sys/fs/cgroup, or use --cgroup-manager disabled");
  return std::unexpected(std::move(error));
}

}  // namespace

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find(separator, start), text.size());
    if (end > start) {
      parts.emplace_back(text.substr(start, end - start));
    }
    start = end + 1;
  }
  return parts;
}

bool is_named_hierarchy(std::string_view name) {
  return std::ranges::find(kKernelControllers, name.substr(0, name.find(','))) == kKernelControllers.end();
}

Layout expected_layout(std::string_view proc_self_cgroup, bool unified) {
  Layout layout;
  for (const std::string& line : split(proc_self_cgroup, '\n')) {  // ID:CONTROLLERS:PATH, where PATH may hold colons
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) {
      continue;
    }
    std::string name = line.substr(first + 1, second - first - 1);
    std::string own_path = line.substr(second + 1);
    if (name.empty()) {
      layout.insert(layout.begin(), {"", unified ? kMountRoot : fmt::format("{}/unified", kMountRoot), own_path});
    } else if (!unified) {
      if (name.starts_with(kNamePrefix)) {
        name.erase(0, kNamePrefix.size());
      }
      layout.push_back({name, fmt::format("{}/{}", kMountRoot, name), own_path});
    }
  }
  return layout;
}

std::string mounted_at(std::string_view mountinfo, std::string_view hierarchy) {
  // ID PARENT MAJOR:MINOR ROOT MOUNTPOINT OPTIONS [TAGS...] - TYPE SOURCE SUPER-OPTIONS
  for (const std::string& line : split(mountinfo, '\n')) {
    const std::vector<std::string> fields = split(line, ' ');
    const auto dash = std::ranges::find(fields, "-");
    if (fields.size() < 5 || fields.end() - dash < 4) {
      continue;
    }
    const bool matches =
        hierarchy.empty() ? dash[1] == "cgroup2" : dash[1] == "cgroup" && options_name(dash[3], hierarchy);
    if (matches) {
      return unescape(fields[4]);
    }
  }
  return {};
}

Result<Layout> detect_layout() {
  const long type = sys::filesystem_type_at(kMountRoot).value_or(0);
  const bool unified = type == CGROUP2_SUPER_MAGIC;
  Layout layout = expected_layout(TRY(sys::read_file(AT_FDCWD, "/proc/self/cgroup", kProcSelfCgroupLimit)), unified);
  if (unified) {  // statfs has just said what it is
    return layout.empty() ? Result<Layout>(no_hierarchy()) : layout;
  }
  std::optional<std::string> mountinfo;
  Layout found;
  for (Hierarchy& hierarchy : layout) {
    bool mounted = holds(hierarchy);
    // Only hosts with an unusual layout pay for mountinfo; that cgroup2 is mounted nowhere is usual beside v1.
    if (!mounted && (!hierarchy.name.empty() || type != TMPFS_MAGIC)) {
      if (!mountinfo) {
        mountinfo = TRY(sys::read_file(AT_FDCWD, "/proc/self/mountinfo", kMountinfoLimit));
      }
      hierarchy.root = mounted_at(*mountinfo, hierarchy.name);
      mounted = !hierarchy.root.empty() && holds(hierarchy);
    }
    if (mounted) {
      found.push_back(std::move(hierarchy));
    }
  }
  if (found.empty()) {
    return no_hierarchy();
  }
  return found;
}

}  // namespace berth::cgroup
