#include "container/process_identity.hpp"

#include <berth/sys/file.hpp>

#include <fcntl.h>

#include <cerrno>
#include <charconv>

namespace berth::container {
namespace {

constexpr std::size_t kMaxStat = 4096;

Result<std::optional<ProcessStat>> read_stat(pid_t pid) {
  const auto text = sys::read_record(AT_FDCWD, fmt::format("/proc/{}/stat", pid), kMaxStat);
  if (!text) {
    // ESRCH: it ended between open and read.
    if (text.error().is(ENOENT) || text.error().is(ESRCH)) {
      return std::optional<ProcessStat>();
    }
    return std::unexpected(text.error());
  }
  auto stat = parse_stat(*text);
  if (!stat) {
    return fail(ErrorKind::kSystem, "/proc/{}/stat has an unknown form", pid);
  }
  return stat;
}

}  // namespace

std::optional<ProcessStat> parse_stat(std::string_view text) {
  // The name in field 2 may contain ")" and spaces: the last ")" ends it.
  constexpr int kFirstField = 3;
  constexpr int kStartTimeField = 22;
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos) {
    return std::nullopt;
  }
  text.remove_prefix(name_end + 1);
  ProcessStat stat;
  for (int field = kFirstField; field <= kStartTimeField; ++field) {
    if (!text.starts_with(' ')) {
      return std::nullopt;
    }
    text.remove_prefix(1);
    const std::string_view value = text.substr(0, text.find(' '));
    text.remove_prefix(value.size());
    if (field == kFirstField) {
      if (value.size() != 1) {
        return std::nullopt;
      }
      stat.state = value.front();
    } else if (field == kStartTimeField) {
      const auto parsed = std::from_chars(value.data(), value.data() + value.size(), stat.start_time);
      if (parsed.ec != std::errc() || parsed.ptr != value.data() + value.size()) {
        return std::nullopt;
      }
    }
  }
  return stat;
}

Result<std::uint64_t> start_time_of(pid_t pid) {
  const auto stat = TRY(read_stat(pid));
  if (!stat) {
    return fail(ErrorKind::kSystem, "process {} is gone", pid);
  }
  return stat->start_time;
}

Result<std::string> boot_id() {
  static std::optional<std::string> known;  // `list` asks for each container
  if (!known) {
    constexpr std::size_t kMaxBootId = 64;
    std::string text = TRY(sys::read_record(AT_FDCWD, "/proc/sys/kernel/random/boot_id", kMaxBootId));
    while (text.ends_with('\n')) {
      text.pop_back();
    }
    known = std::move(text);
  }
  return *known;
}

Result<bool> is_of_this_boot(const spec::Record& record) {
  return TRY(boot_id()) == record.boot_id;
}

Result<bool> still_lives(const spec::Record& record) {
  if (record.pid <= 0) {
    return false;
  }
  const auto stat = TRY(read_stat(record.pid));
  if (!stat || stat->start_time != record.start_time || stat->state == 'Z' || stat->state == 'X') {
    return false;
  }
  return is_of_this_boot(record);
}

Result<std::optional<sys::Pidfd>> find_process(const spec::Record& record) {
  if (record.pid <= 0) {
    return std::optional<sys::Pidfd>();
  }
  auto pidfd = sys::Pidfd::open(record.pid);
  if (!pidfd) {
    // EINVAL: the number now belongs to a thread that leads no process.
    if (pidfd.error().is(ESRCH) || pidfd.error().is(EINVAL)) {
      return std::optional<sys::Pidfd>();
    }
    return std::unexpected(std::move(pidfd).error());
  }
  if (!TRY(still_lives(record))) {
    return std::optional<sys::Pidfd>();
  }
  return std::optional<sys::Pidfd>(std::move(*pidfd));
}

}  // namespace berth::container
