// What a cgroup has used, and how often its limits were met.
#pragma once

#include <berth/cgroup/cgroup.hpp>
#include <berth/spec/event.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::cgroup {

/// Cgroup::statistics().
spec::Statistics read_statistics(const Placement& placement);

// Reading is best effort, file by file: which of them are there depends on the kernel's version and build, and a cgroup
// may go away meanwhile. What cannot be read counts as 0 or is left out, as in runc.

std::string read_text(const std::string& path);
/// Of a file with one number; that of "max" is the greatest. Nothing if there is no such file.
std::optional<std::uint64_t> read_number(const std::string& path);
/// Pure: of the text of a file with `NAME NUMBER` lines, such as memory.stat.
spec::Counters parse_counters(std::string_view text);
spec::Counters read_counters(const std::string& path);
/// The number of this name, or 0.
std::uint64_t counter(const spec::Counters& counters, std::string_view name);
/// The whole text as one number, or nothing.
std::optional<std::uint64_t> to_number(std::string_view text);

/// Pure: the text of a pressure file. Nothing for another text.
std::optional<spec::Pressure> parse_pressure(std::string_view text);

/// The sizes in names such as hugetlb.2MB.max, in the directory: "2MB".
std::vector<std::string> huge_page_sizes(const std::string& directory);

namespace legacy {
spec::CpuStatistics cpu_statistics(const std::string& cpuacct, const std::string& cpu);
spec::CpusetStatistics cpuset_statistics(const std::string& directory);
spec::MemoryStatistics memory_statistics(const std::string& directory);
spec::BlockIoStatistics block_io_statistics(const std::string& directory);
std::vector<spec::HugetlbStatistics> hugetlb_statistics(const std::string& directory);
/// Pure: the text of a file such as blkio.throttle.io_serviced_recursive, without its last line, the total of all.
std::vector<spec::BlockIoEntry> parse_block_io(std::string_view text);
}  // namespace legacy

namespace unified {
spec::CpuStatistics cpu_statistics(const std::string& directory);
spec::MemoryStatistics memory_statistics(const std::string& directory);
spec::BlockIoStatistics block_io_statistics(const std::string& directory);
std::vector<spec::HugetlbStatistics> hugetlb_statistics(const std::string& directory);
/// Pure: the text of io.stat as v1's lists.
spec::BlockIoStatistics parse_io_stat(std::string_view text);
}  // namespace unified

}  // namespace berth::cgroup
