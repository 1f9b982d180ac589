#include "cgroup/write_limits.hpp"

#include <berth/sys/file.hpp>

#include <fcntl.h>

#include <cerrno>
#include <charconv>
#include <string_view>
#include <system_error>

#include "cgroup/place.hpp"

namespace berth::cgroup {
namespace {

void add_limit_hint(Error& error, const FileWrite& write) {
  if (error.is(ENOENT) && (write.file.starts_with("memory.memsw.") || write.file == "memory.swap.max")) {
    error.add_hint("swap is not counted on this host: boot with swapaccount=1, or take the limit out");
  } else if (error.is(ENOENT)) {
    error.add_hint("this kernel has no such limit; take it out");
  } else if (error.is(EBUSY) && write.controller == "memory") {
    error.add_hint("the container uses more than that already, and the kernel could not take it back");
  } else if (error.is(EINVAL) && write.file.starts_with("cpu.rt_")) {
    error.add_hint("the parent cgroup has no such real-time budget to give: raise its cpu.rt_runtime_us first");
  } else if (error.is(EINVAL) && write.file.starts_with("cpu.cfs_")) {
    error.add_hint(
        "a period has 1000 to 1000000 microseconds, a quota at least 1000 and no more than the parent's share");
  } else if (error.is(EINVAL) && write.file == "memory.memsw.limit_in_bytes") {
    error.add_hint("it holds memory and swap together, so it cannot be less than memory/limit, which must be set too");
  } else if (error.is(EINVAL) && (write.file == "cpu.shares" || write.file == "cpu.weight")) {
    error.add_hint("who is idle has no share: set cpu/idle to 0 as well");
  } else if (error.is(EINVAL) && write.file == "memory.use_hierarchy") {
    error.add_hint("Linux 5.11 and later always count the children's memory");
  } else if (error.is(ENODEV) && (write.controller == "blkio" || write.controller == "io")) {
    error.add_hint("the host has no block device of this number");
  } else if (write.controller == "cpuset" && (error.is(EACCES) || error.is(EINVAL) || error.is(ERANGE))) {
    error.add_hint("these are not all online and in the parent's cpuset");
  }
}

Status write_one(const std::string& directory, const FileWrite& write) {
  Status written = sys::write_file(AT_FDCWD, directory + "/" + write.file, write.value);
  // EOPNOTSUPP: of a device that has another scheduler than BFQ.
  if (!written && (written.error().is(ENOENT) || written.error().is(EOPNOTSUPP))) {
    if (!write.fallback_file.empty()) {
      written = sys::write_file(AT_FDCWD, directory + "/" + write.fallback_file, write.fallback_value);
    }
    if (!written && written.error().is(ENOENT) && write.may_be_missing) {
      return {};
    }
  }
  if (!written) {
    add_limit_hint(written.error(), write);
    written.error().add_context("limit " + write.property);
  }
  return written;
}

const std::string& path_of(const Placement& placement, const FileWrite& write, bool unified) {
  return find_directory(placement, unified ? "" : write.controller)->path;
}

Status write_limits(const Placement& placement, const std::vector<FileWrite>& writes, bool unified) {
  std::vector<const FileWrite*> again;
  for (const FileWrite& write : writes) {
    Status written = write_one(path_of(placement, write, unified), write);
    if (!written && written.error().is(EINVAL)) {
      again.push_back(&write);
    } else if (!written) {
      return written;
    }
  }
  for (const FileWrite* write : again) {
    TRY(write_one(path_of(placement, *write, unified), *write));
  }
  return {};
}

Status restore_limits(const Placement& placement, const std::vector<FileWrite>& values, bool unified) {
  const auto restore_all = [&] {
    Status result;
    for (const FileWrite& value : values) {
      Status written = write_one(path_of(placement, value, unified), value);
      // A device that is not there has no limit, nor has one without the scheduler.
      const bool has_none = !written && (written.error().is(ENODEV) || written.error().is(EOPNOTSUPP));
      if (!written && result && !has_none) {
        result = std::move(written);
      }
    }
    return result;
  };
  // The second round takes what an other value stood in the way of: memory and swap, quota and burst.
  return restore_all() ? Status() : restore_all();
}

}  // namespace

Status write_legacy_limits(const Placement& placement, const std::vector<FileWrite>& writes) {
  return write_limits(placement, writes, false);
}
Status write_unified_limits(const Placement& placement, const std::vector<FileWrite>& writes) {
  return write_limits(placement, writes, true);
}

Status restore_legacy_limits(const Placement& placement, const std::vector<FileWrite>& values) {
  return restore_limits(placement, values, false);
}
Status restore_unified_limits(const Placement& placement, const std::vector<FileWrite>& values) {
  return restore_limits(placement, values, true);
}

Status check_memory_in_use(const Placement& placement, const std::vector<FileWrite>& unified_writes) {
  for (const FileWrite& write : unified_writes) {
    std::uint64_t limit = 0;
    const char* end = write.value.data() + write.value.size();
    if (write.file != "memory.max" || std::from_chars(write.value.data(), end, limit).ec != std::errc()) {
      continue;  // "max"
    }
    const std::string file = find_directory(placement, "")->path + "/memory.current";
    Result<std::string> text = sys::read_record(AT_FDCWD, file, 4096);
    if (!text && text.error().is(ENOENT)) {
      continue;  // the controller was enabled just now, so nothing is counted yet
    }
    const std::string current = TRY(std::move(text));
    std::uint64_t in_use = 0;
    std::from_chars(current.data(), current.data() + current.size(), in_use);
    if (limit <= in_use) {
      return fail(ErrorKind::kConfig, "{} is {}: the container uses {} bytes already, and checkBeforeUpdate is set",
                  write.property, limit, in_use);
    }
  }
  return {};
}

}  // namespace berth::cgroup
