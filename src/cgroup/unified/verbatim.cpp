#include <algorithm>
#include <array>

#include "cgroup/unified/limits.hpp"

namespace berth::cgroup::unified {
namespace {

// These act on processes (on the runtime's own, for "0" in cgroup.procs) and limit nothing.
constexpr std::array<std::string_view, 4> kNoLimits = {"cgroup.procs", "cgroup.threads", "cgroup.kill",
                                                       "cgroup.freeze"};

// GHSA-5g49-rx9x-qfc6: a name with a slash or ".." writes to somebody else's cgroup.
bool is_file_of_a_controller(std::string_view file) {
  const std::size_t dot = file.find('.');
  return dot != std::string_view::npos && dot != 0 && file.find('/') == std::string_view::npos &&
         file.find('\0') == std::string_view::npos && std::ranges::find(kNoLimits, file) == kNoLimits.end();
}

}  // namespace

Result<std::vector<FileWrite>> verbatim(const plan::Resources& resources) {
  std::vector<FileWrite> writes;
  for (const auto& [file, value] : resources.unified) {
    const std::string property = "/linux/resources/unified/" + file;
    if (!is_file_of_a_controller(file)) {
      return fail(ErrorKind::kConfig, "{}: not the name of a cgroup file that limits something, such as memory.high",
                  property);
    }
    if (value.find_first_not_of('\n') == std::string::npos) {
      return fail(ErrorKind::kConfig, "{}: the value is empty", property);
    }
    // The kernel takes one line a write: io.max may have one for each device.
    for (std::size_t start = 0; start < value.size();) {
      const std::size_t end = std::min(value.find('\n', start), value.size());
      if (end > start) {
        writes.push_back({.property = property,
                          .controller = file.substr(0, file.find('.')),
                          .file = file,
                          .value = value.substr(start, end - start)});
      }
      start = end + 1;
    }
  }
  return writes;
}

}  // namespace berth::cgroup::unified
