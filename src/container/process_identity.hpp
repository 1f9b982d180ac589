// Which process a pid of the record means, after any time and any reuse of numbers.
#pragma once

#include <berth/base/error.hpp>
#include <berth/spec/record.hpp>
#include <berth/sys/process.hpp>

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace berth::container {

struct ProcessStat {
  char state = '?';              ///< field 3 of /proc/PID/stat: R, S, D, Z...
  std::uint64_t start_time = 0;  ///< field 22, clock ticks after boot
};

/// Reads the text of /proc/PID/stat; nothing if it has not that form. The second field may hold any character.
[[nodiscard]] std::optional<ProcessStat> parse_stat(std::string_view text);

/// Field 22 of /proc/PID/stat of a process that is not reaped.
Result<std::uint64_t> start_time_of(pid_t pid);
/// /proc/sys/kernel/random/boot_id.
Result<std::string> boot_id();
/// Whether the record was written since the host was booted: pids, start times and inodes of cgroups begin again then.
Result<bool> is_of_this_boot(const spec::Record& record);

/// Whether the container's process still lives, for who only tells of it: what is done to a process needs its pidfd.
Result<bool> still_lives(const spec::Record& record);
/// The container's process, if it still lives: a pidfd that is proven, after it was opened, to be the process that
/// the record means.
Result<std::optional<sys::Pidfd>> find_process(const spec::Record& record);

}  // namespace berth::container
