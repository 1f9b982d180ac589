// What `events` prints: one JSON object a line, in the shape that runc gave it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace berth::spec {

/// A file such as memory.pressure of cgroup2: shares of time in which some, or all, processes waited.
struct Pressure {
  struct Line {
    std::string avg10;  ///< percent, as the kernel writes it: "0.12"
    std::string avg60;
    std::string avg300;
    std::uint64_t total = 0;  ///< microseconds
  };
  Line some;
  Line full;
};

/// Numbers of a file with one name and one number a line, in the file's order.
using Counters = std::vector<std::pair<std::string, std::uint64_t>>;

struct CpuStatistics {
  std::uint64_t total = 0;  ///< nanoseconds, as all times here
  std::uint64_t kernel = 0;
  std::uint64_t user = 0;
  std::vector<std::uint64_t> of_each;  ///< cpu; these three with cgroup v1 only
  std::vector<std::uint64_t> of_each_kernel;
  std::vector<std::uint64_t> of_each_user;
  std::uint64_t periods = 0;
  std::uint64_t throttled_periods = 0;
  std::uint64_t throttled_time = 0;
  std::optional<Pressure> pressure;
};

/// cgroup v1 only.
struct CpusetStatistics {
  std::vector<unsigned> cpus;
  std::vector<unsigned> mems;
  Counters files;                       ///< what the files after "cpuset." say: cpu_exclusive...
  std::int64_t relax_domain_level = 0;  ///< cpuset.sched_relax_domain_level
};

struct MemoryUse {
  std::uint64_t limit = 0;  ///< bytes
  std::uint64_t usage = 0;
  std::uint64_t max = 0;      ///< the most that was ever used
  std::uint64_t failcnt = 0;  ///< how often the limit was met
};

struct MemoryStatistics {
  std::uint64_t cache = 0;
  MemoryUse usage;
  MemoryUse swap;  ///< memory and swap together, in both versions
  MemoryUse kernel;
  MemoryUse kernel_tcp;
  Counters raw;     ///< memory.stat
  Counters events;  ///< memory.events of cgroup2
  std::optional<Pressure> pressure;
};

struct PidsStatistics {
  std::uint64_t current = 0;
  std::uint64_t limit = 0;  ///< 0: none
  Counters events;          ///< pids.events: how often the limit was met
};

struct BlockIoEntry {
  std::uint64_t major = 0;
  std::uint64_t minor = 0;
  std::string operation;  ///< Read, Write...
  std::uint64_t value = 0;
};

struct BlockIoStatistics {
  /// By the key of the list: ioServiceBytesRecursive, ioServicedRecursive...
  std::vector<std::pair<std::string, std::vector<BlockIoEntry>>> lists;
  std::optional<Pressure> pressure;
};

struct HugetlbStatistics {
  std::string page_size;  ///< 2MB
  std::uint64_t usage = 0;
  std::uint64_t max = 0;
  std::uint64_t failcnt = 0;
};

struct Statistics {
  CpuStatistics cpu;
  CpusetStatistics cpuset;
  MemoryStatistics memory;
  PidsStatistics pids;
  BlockIoStatistics block_io;
  std::vector<HugetlbStatistics> hugetlb;
};

/// `{"type":"stats","id":ID,"data":{...}}`, without a newline. What is 0 stands there or not as runc has it; `events`
/// of memory and pids are ours.
[[nodiscard]] std::string stats_event_json(const std::string& id, const Statistics& statistics);
/// `{"type":"oom","id":ID}`.
[[nodiscard]] std::string oom_event_json(const std::string& id);

}  // namespace berth::spec
