#include "cgroup/systemd/unit_name.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace berth::cgroup::systemd {
namespace {

constexpr std::string_view kSliceSuffix = ".slice";
constexpr std::size_t kMaxName = 255;

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_.-\\").find(c) != std::string_view::npos;
}

std::string escape(std::string_view name) {
  std::string escaped;
  for (const char c : name) {
    escaped += is_plain(c) ? std::string(1, c) : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return escaped;
}

std::unexpected<Error> bad_slice(const std::string& slice) {
  return fail(ErrorKind::kConfig,
              "/linux/cgroupsPath: the slice is \"{}\": a name such as machine.slice or a-b.slice was expected",
              one_line(slice));
}

}  // namespace

Result<ScopeName> parse_scope_name(const std::string& cgroups_path, const std::string& id, bool user) {
  const std::string text = cgroups_path.empty() ? ":berth:" + id : cgroups_path;
  const std::size_t first = text.find(':');
  const std::size_t second = first == std::string::npos ? first : text.find(':', first + 1);
  if (second == std::string::npos || text.find(':', second + 1) != std::string::npos) {
    Error error(ErrorKind::kConfig,
                fmt::format("/linux/cgroupsPath is \"{}\": slice:prefix:name was expected", one_line(text)));
    error.add_hint("so the systemd cgroup manager wants it; --cgroup-manager cgroupfs takes a path");
    return std::unexpected(std::move(error));
  }
  ScopeName scope{.slice = text.substr(0, first), .unit = {}};
  if (scope.slice.empty()) {
    scope.slice = user ? "user.slice" : "system.slice";
  } else if (scope.slice == "-") {
    scope.slice = "-.slice";
  }
  TRY(slice_path(scope.slice));

  const std::string prefix = text.substr(first + 1, second - first - 1);
  std::string name = text.substr(second + 1);
  name = name.empty() ? id : name;
  if (name.ends_with(kSliceSuffix)) {
    return fail(ErrorKind::kConfig, "/linux/cgroupsPath is \"{}\": a container is in a scope, no slice has processes",
                one_line(text));
  }
  scope.unit = escape(prefix.empty() ? name : prefix + "-" + name) + ".scope";
  if (scope.unit.size() > kMaxName) {
    return fail(ErrorKind::kConfig, "/linux/cgroupsPath: the unit's name has {} characters, at most {} were expected",
                scope.unit.size(), kMaxName);
  }
  return scope;
}

Result<std::string> slice_path(const std::string& slice) {
  if (slice == "-.slice") {
    return "";
  }
  if (!slice.ends_with(kSliceSuffix) || slice.size() > kMaxName || !std::ranges::all_of(slice, is_plain)) {
    return bad_slice(slice);
  }
  const std::string name = slice.substr(0, slice.size() - kSliceSuffix.size());
  std::string path;
  for (std::size_t start = 0; start <= name.size();) {
    const std::size_t end = std::min(name.find('-', start), name.size());
    if (end == start) {  // "", "-a", "a--b"
      return bad_slice(slice);
    }
    path += "/" + cgroup_name(name.substr(0, end) + std::string(kSliceSuffix));
    start = end + 1;
  }
  return path;
}

std::string parent_slice(const std::string& slice) {
  const std::size_t dash = slice.rfind('-');
  return dash == std::string::npos || dash == 0 ? "" : slice.substr(0, dash) + std::string(kSliceSuffix);
}

std::string path_label(std::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  std::string label;
  for (std::size_t at = 0; at < name.size(); ++at) {
    const bool plain = is_letter(name[at]) || (at > 0 && name[at] >= '0' && name[at] <= '9');
    label += plain ? std::string(1, name[at]) : fmt::format("_{:02x}", static_cast<unsigned char>(name[at]));
  }
  return label.empty() ? "_" : label;
}

std::string unit_name(const std::string& cgroup) {
  return cgroup.starts_with('_') ? cgroup.substr(1) : cgroup;
}

std::string cgroup_name(const std::string& unit) {
  // cg_escape() of systemd: its own names of controllers count, not all that the kernel has.
  constexpr std::array<std::string_view, 12> kKernelPrefixes{"cgroup", "cpu",          "cpuacct",     "cpuset",
                                                             "io",     "blkio",        "memory",      "devices",
                                                             "pids",   "bpf-firewall", "bpf-devices", "bpf-foreign"};
  const std::string_view before_dot = std::string_view(unit).substr(0, unit.find('.'));
  const bool kernels = unit.starts_with('_') || unit.starts_with('.') ||
                       std::ranges::find(kKernelPrefixes, before_dot) != kKernelPrefixes.end();
  return kernels ? "_" + unit : unit;
}

}  // namespace berth::cgroup::systemd
