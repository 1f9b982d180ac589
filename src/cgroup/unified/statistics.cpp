#include "cgroup/statistics.hpp"

#include <limits>

#include "cgroup/layout.hpp"

namespace berth::cgroup::unified {
namespace {

constexpr std::uint64_t kPerMicrosecond = 1000;  // nanoseconds
constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

spec::MemoryUse memory_use(const std::string& prefix) {
  return {.limit = read_number(prefix + "max").value_or(0),
          .usage = read_number(prefix + "current").value_or(0),
          .max = read_number(prefix + "peak").value_or(0)};
}

}  // namespace

spec::CpuStatistics cpu_statistics(const std::string& directory) {
  const spec::Counters counters = read_counters(directory + "/cpu.stat");
  spec::CpuStatistics statistics;
  statistics.total = counter(counters, "usage_usec") * kPerMicrosecond;
  statistics.user = counter(counters, "user_usec") * kPerMicrosecond;
  statistics.kernel = counter(counters, "system_usec") * kPerMicrosecond;
  statistics.periods = counter(counters, "nr_periods");
  statistics.throttled_periods = counter(counters, "nr_throttled");
  statistics.throttled_time = counter(counters, "throttled_usec") * kPerMicrosecond;
  return statistics;
}

spec::MemoryStatistics memory_statistics(const std::string& directory) {
  spec::MemoryStatistics statistics;
  statistics.raw = read_counters(directory + "/memory.stat");
  statistics.cache = counter(statistics.raw, "file");
  statistics.events = read_counters(directory + "/memory.events");
  statistics.usage = memory_use(directory + "/memory.");
  statistics.usage.failcnt = counter(statistics.events, "max");
  // v1 counts memory and swap together; the most that both were at one moment is known to nobody here.
  statistics.swap = memory_use(directory + "/memory.swap.");
  statistics.swap.usage += statistics.usage.usage;
  statistics.swap.max = 0;
  if (statistics.swap.limit != kNoLimit) {
    statistics.swap.limit =
        statistics.usage.limit == kNoLimit ? kNoLimit : statistics.swap.limit + statistics.usage.limit;
  }
  return statistics;
}

spec::BlockIoStatistics parse_io_stat(std::string_view text) {
  std::vector<spec::BlockIoEntry> bytes;
  std::vector<spec::BlockIoEntry> operations;
  for (const std::string& line : split(text, '\n')) {  // 8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0
    const std::vector<std::string> words = split(line, ' ');
    const std::vector<std::string> numbers = split(words.front(), ':');
    if (numbers.size() != 2) {
      continue;
    }
    for (const std::string& word : words) {
      const auto add = [&](std::vector<spec::BlockIoEntry>& list, std::string_view key, const char* operation) {
        if (word.starts_with(key)) {
          list.push_back({.major = to_number(numbers[0]).value_or(0),
                          .minor = to_number(numbers[1]).value_or(0),
                          .operation = operation,
                          .value = to_number(std::string_view(word).substr(key.size())).value_or(0)});
        }
      };
      add(bytes, "rbytes=", "Read");
      add(bytes, "wbytes=", "Write");
      add(operations, "rios=", "Read");
      add(operations, "wios=", "Write");
    }
  }
  spec::BlockIoStatistics statistics;
  if (!bytes.empty()) {
    statistics.lists.emplace_back("ioServiceBytesRecursive", std::move(bytes));
    statistics.lists.emplace_back("ioServicedRecursive", std::move(operations));
  }
  return statistics;
}

spec::BlockIoStatistics block_io_statistics(const std::string& directory) {
  return parse_io_stat(read_text(directory + "/io.stat"));
}

std::vector<spec::HugetlbStatistics> hugetlb_statistics(const std::string& directory) {
  std::vector<spec::HugetlbStatistics> statistics;
  for (const std::string& size : huge_page_sizes(directory)) {
    const std::string prefix = directory + "/hugetlb." + size + ".";
    statistics.push_back({.page_size = size,
                          .usage = read_number(prefix + "current").value_or(0),
                          .max = 0,
                          .failcnt = counter(read_counters(prefix + "events"), "max")});
  }
  return statistics;
}

}  // namespace berth::cgroup::unified
