#include "cgroup/statistics.hpp"

#include <berth/sys/file.hpp>

#include <fcntl.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <system_error>

#include "cgroup/layout.hpp"
#include "cgroup/place.hpp"
#include "cgroup/processes.hpp"

namespace berth::cgroup {
namespace {

constexpr std::size_t kFileLimit = 4UL * 1024 * 1024;

spec::PidsStatistics pids_statistics(const Placement& placement) {
  const Directory* directory = find_directory(placement, "pids");
  if (directory == nullptr) {
    directory = find_directory(placement, "");
  }
  spec::PidsStatistics pids;
  if (const auto current = directory != nullptr ? read_number(directory->path + "/pids.current") : std::nullopt) {
    pids.current = *current;
    const std::uint64_t limit = read_number(directory->path + "/pids.max").value_or(0);
    pids.limit = limit == std::numeric_limits<std::uint64_t>::max() ? 0 : limit;
    pids.events = read_counters(directory->path + "/pids.events");
  } else if (const Directory* of_processes = process_directory(placement)) {  // nobody counts: so we do
    const auto found = processes_below(of_processes->path);
    pids.current = found ? found->size() : 0;
  }
  return pids;
}

}  // namespace

std::string read_text(const std::string& path) {
  return sys::read_file(AT_FDCWD, path, kFileLimit).value_or("");
}

std::optional<std::uint64_t> to_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

std::optional<std::uint64_t> read_number(const std::string& path) {
  std::string text = read_text(path);
  text.erase(text.find_last_not_of('\n') + 1);
  return text == "max" ? std::numeric_limits<std::uint64_t>::max() : to_number(text);
}

spec::Counters read_counters(const std::string& path) {
  return parse_counters(read_text(path));
}

spec::Counters parse_counters(std::string_view text) {
  spec::Counters counters;
  for (const std::string& line : split(text, '\n')) {
    const std::size_t space = std::min(line.find(' '), line.size() - 1);
    if (const auto number = to_number(std::string_view(line).substr(space + 1))) {
      counters.emplace_back(line.substr(0, space), *number);
    }
  }
  return counters;
}

std::uint64_t counter(const spec::Counters& counters, std::string_view name) {
  const auto found = std::ranges::find(counters, name, &spec::Counters::value_type::first);
  return found != counters.end() ? found->second : 0;
}

std::optional<spec::Pressure> parse_pressure(std::string_view text) {
  spec::Pressure pressure;
  for (const std::string& line : split(text, '\n')) {  // some avg10=0.00 avg60=0.00 avg300=0.00 total=0
    const std::vector<std::string> words = split(line, ' ');
    if (words.size() != 5 || !words[4].starts_with("total=")) {
      return std::nullopt;
    }
    const auto value = [&](std::size_t index) { return words[index].substr(words[index].find('=') + 1); };
    spec::Pressure::Line& read = words[0] == "full" ? pressure.full : pressure.some;
    read.avg10 = value(1);
    read.avg60 = value(2);
    read.avg300 = value(3);
    read.total = to_number(value(4)).value_or(0);
  }
  // A kernel before 5.13 has no "full" line for the cpu.
  if (pressure.full.avg10.empty()) {
    pressure.full = {.avg10 = "0", .avg60 = "0", .avg300 = "0"};
  }
  if (pressure.some.avg10.empty()) {
    return std::nullopt;
  }
  return pressure;
}

std::vector<std::string> huge_page_sizes(const std::string& directory) {
  std::vector<std::string> sizes;
  const auto opened = sys::open_at(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY);
  const auto names = opened ? sys::list_directory(opened->get(), directory) : Result<std::vector<std::string>>();
  for (const std::string& name : names.value_or(std::vector<std::string>())) {
    const std::vector<std::string> words = split(name, '.');
    if (words.size() == 3 && words[0] == "hugetlb" && (words[2] == "max" || words[2] == "limit_in_bytes")) {
      sizes.push_back(words[1]);
    }
  }
  std::ranges::sort(sizes);
  return sizes;
}

spec::Statistics read_statistics(const Placement& placement) {
  spec::Statistics statistics;
  const auto path_of = [&](std::string_view controller) {
    const Directory* directory = find_directory(placement, controller);
    return directory != nullptr ? directory->path : std::string();
  };
  // A controller is in one version only; without v1's, cgroup2's files say what there is.
  const std::string unified = path_of("");
  const std::string cpuacct = path_of("cpuacct");
  const std::string memory = path_of("memory");
  const std::string blkio = path_of("blkio");
  const std::string hugetlb = path_of("hugetlb");
  statistics.cpu = cpuacct.empty() ? unified::cpu_statistics(unified) : legacy::cpu_statistics(cpuacct, path_of("cpu"));
  statistics.memory = memory.empty() ? unified::memory_statistics(unified) : legacy::memory_statistics(memory);
  statistics.block_io = blkio.empty() ? unified::block_io_statistics(unified) : legacy::block_io_statistics(blkio);
  statistics.hugetlb = hugetlb.empty() ? unified::hugetlb_statistics(unified) : legacy::hugetlb_statistics(hugetlb);
  statistics.cpuset = legacy::cpuset_statistics(path_of("cpuset"));
  statistics.pids = pids_statistics(placement);
  // cgroup2 knows these without any controller, also beside v1.
  statistics.cpu.pressure = parse_pressure(read_text(unified + "/cpu.pressure"));
  statistics.memory.pressure = parse_pressure(read_text(unified + "/memory.pressure"));
  statistics.block_io.pressure = parse_pressure(read_text(unified + "/io.pressure"));
  return statistics;
}

}  // namespace berth::cgroup
