#include "cgroup/statistics.hpp"

#include <berth/plan/number_list.hpp>

#include <unistd.h>

#include <array>
#include <charconv>

#include "cgroup/layout.hpp"

namespace berth::cgroup::legacy {
namespace {

spec::MemoryUse memory_use(const std::string& prefix) {
  return {.limit = read_number(prefix + "limit_in_bytes").value_or(0),
          .usage = read_number(prefix + "usage_in_bytes").value_or(0),
          .max = read_number(prefix + "max_usage_in_bytes").value_or(0),
          .failcnt = read_number(prefix + "failcnt").value_or(0)};
}

std::vector<unsigned> read_list(const std::string& path, unsigned maximum) {
  std::string text = read_text(path);
  text.erase(text.find_last_not_of('\n') + 1);
  return plan::parse_number_list(text, maximum).value_or(std::vector<unsigned>());
}

// cpuacct.stat counts in units of USER_HZ.
std::uint64_t nanoseconds(std::uint64_t ticks) {
  return ticks * (1'000'000'000 / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK)));
}

// What remains of the CFQ scheduler's lists: BFQ has those of its kernel, CONFIG_BFQ_CGROUP_DEBUG or not.
constexpr std::array<std::pair<const char*, const char*>, 8> kBlockIoLists = {{
    {"ioServiceBytesRecursive", "io_service_bytes_recursive"},
    {"ioServicedRecursive", "io_serviced_recursive"},
    {"ioQueueRecursive", "io_queued_recursive"},
    {"ioServiceTimeRecursive", "io_service_time_recursive"},
    {"ioWaitTimeRecursive", "io_wait_time_recursive"},
    {"ioMergedRecursive", "io_merged_recursive"},
    {"ioTimeRecursive", "time_recursive"},
    {"sectorsRecursive", "sectors_recursive"},
}};

}  // namespace

spec::CpuStatistics cpu_statistics(const std::string& cpuacct, const std::string& cpu) {
  spec::CpuStatistics statistics;
  statistics.total = read_number(cpuacct + "/cpuacct.usage").value_or(0);
  const spec::Counters ticks = read_counters(cpuacct + "/cpuacct.stat");
  statistics.user = nanoseconds(counter(ticks, "user"));
  statistics.kernel = nanoseconds(counter(ticks, "system"));
  for (const std::string& number : split(read_text(cpuacct + "/cpuacct.usage_percpu"), ' ')) {
    if (const auto usage = to_number(number)) {
      statistics.of_each.push_back(*usage);
    }
  }
  for (const std::string& line : split(read_text(cpuacct + "/cpuacct.usage_all"), '\n')) {  // cpu user system
    const std::vector<std::string> words = split(line, ' ');
    if (words.size() == 3 && words[0] != "cpu") {
      statistics.of_each_user.push_back(to_number(words[1]).value_or(0));
      statistics.of_each_kernel.push_back(to_number(words[2]).value_or(0));
    }
  }
  const spec::Counters throttling = read_counters(cpu + "/cpu.stat");
  statistics.periods = counter(throttling, "nr_periods");
  statistics.throttled_periods = counter(throttling, "nr_throttled");
  statistics.throttled_time = counter(throttling, "throttled_time");
  return statistics;
}

spec::CpusetStatistics cpuset_statistics(const std::string& directory) {
  spec::CpusetStatistics statistics;
  statistics.cpus = read_list(directory + "/cpuset.cpus", plan::kMaxCpu);
  statistics.mems = read_list(directory + "/cpuset.mems", plan::kMaxNode);
  for (const char* name : {"cpu_exclusive", "mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page",
                           "memory_spread_slab", "memory_pressure", "sched_load_balance"}) {
    statistics.files.emplace_back(name, read_number(directory + "/cpuset." + name).value_or(0));
  }
  const std::string level = read_text(directory + "/cpuset.sched_relax_domain_level");
  std::from_chars(level.data(), level.data() + level.size(), statistics.relax_domain_level);
  return statistics;
}

spec::MemoryStatistics memory_statistics(const std::string& directory) {
  spec::MemoryStatistics statistics;
  statistics.raw = read_counters(directory + "/memory.stat");
  statistics.cache = counter(statistics.raw, "cache");
  statistics.usage = memory_use(directory + "/memory.");
  statistics.swap = memory_use(directory + "/memory.memsw.");
  statistics.kernel = memory_use(directory + "/memory.kmem.");
  statistics.kernel_tcp = memory_use(directory + "/memory.kmem.tcp.");
  return statistics;
}

std::vector<spec::BlockIoEntry> parse_block_io(std::string_view text) {
  std::vector<spec::BlockIoEntry> entries;
  for (std::string& line : split(text, '\n')) {  // 8:0 Read 4096; without an operation for times and sectors
    const std::vector<std::string> words = split(line, ' ');
    const std::vector<std::string> numbers = split(words.front(), ':');
    if (numbers.size() == 2 && words.size() >= 2) {
      entries.push_back({.major = to_number(numbers[0]).value_or(0),
                         .minor = to_number(numbers[1]).value_or(0),
                         .operation = words.size() > 2 ? words[1] : "",
                         .value = to_number(words.back()).value_or(0)});
    }
  }
  return entries;
}

spec::BlockIoStatistics block_io_statistics(const std::string& directory) {
  spec::BlockIoStatistics statistics;
  // Who schedules a device counts it: BFQ where it has, else the throttling layer.
  for (const char* prefix : {"/blkio.bfq.", "/blkio.throttle."}) {
    for (const auto& [key, file] : kBlockIoLists) {
      auto entries = parse_block_io(read_text(directory + prefix + file));
      if (!entries.empty()) {
        statistics.lists.emplace_back(key, std::move(entries));
      }
    }
    if (!statistics.lists.empty()) {
      break;
    }
  }
  return statistics;
}

std::vector<spec::HugetlbStatistics> hugetlb_statistics(const std::string& directory) {
  std::vector<spec::HugetlbStatistics> statistics;
  for (const std::string& size : huge_page_sizes(directory)) {
    const std::string prefix = directory + "/hugetlb." + size + ".";
    statistics.push_back({.page_size = size,
                          .usage = read_number(prefix + "usage_in_bytes").value_or(0),
                          .max = read_number(prefix + "max_usage_in_bytes").value_or(0),
                          .failcnt = read_number(prefix + "failcnt").value_or(0)});
  }
  return statistics;
}

}  // namespace berth::cgroup::legacy
