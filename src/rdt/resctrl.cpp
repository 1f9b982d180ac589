#include <berth/base/log.hpp>
#include <berth/base/scope_guard.hpp>
#include <berth/rdt/resctrl.hpp>
#include <berth/sys/file.hpp>
#include <berth/sys/filesystem.hpp>

#include <fcntl.h>

#include <cerrno>
#include <set>

#include "rdt/schemata.hpp"

namespace berth::rdt {
namespace {

constexpr std::size_t kFileLimit = std::size_t{1024} * 1024;

Result<bool> exists(const std::string& directory) {
  const auto status = sys::stat_at(AT_FDCWD, directory, 0);
  if (status) {
    return true;
  }
  if (status.error().is(ENOENT)) {
    return false;
  }
  return std::unexpected(status.error());
}

// "If closID directory in a mounted resctrl pseudo-filesystem exists, runtimes MUST compare l3CacheSchema and/or
// memBwSchema value with schemata file, and generate an error if doesn't match" (config-linux.md).
Status check_class(const Groups& groups, const plan::IntelRdt& plan) {
  if (plan.schemas.empty()) {
    return {};
  }
  const std::string present = TRY(sys::read_file(AT_FDCWD, groups.control + "/schemata", kFileLimit));
  if (const std::string other = first_difference(plan.schemas, present); !other.empty()) {
    return fail(ErrorKind::kConfig, "/linux/intelRdt: \"{}\" is not what {}/schemata says", one_line(other),
                groups.control);
  }
  return {};
}

Result<std::string> root_directory() {
  constexpr std::size_t kMountinfoLimit = std::size_t{16} * 1024 * 1024;
  std::string root = mount_point(TRY(sys::read_file(AT_FDCWD, "/proc/self/mountinfo", kMountinfoLimit)));
  if (root.empty()) {
    Error error(ErrorKind::kConfig, "no resctrl file system is mounted");
    return std::unexpected(
        std::move(error.add_hint("mount -t resctrl resctrl /sys/fs/resctrl, on a processor with RDT")));
  }
  return root;
}

Groups names_below(const std::string& root, const plan::IntelRdt& plan, const std::string& id) {
  Groups groups;
  groups.root = root;
  groups.owns_control = plan.clos_id.empty();
  groups.control = plan.clos_id == "/" ? root : root + "/" + (groups.owns_control ? id : plan.clos_id);
  if (plan.enable_monitoring) {
    groups.monitoring = groups.control + "/mon_groups/" + id;
  }
  return groups;
}

// Every thread: a process that starts others meanwhile passes its group on, so a look that shows nobody new is the
// last.
Status add_all(const Groups& groups, const std::function<Result<std::vector<pid_t>>()>& processes) {
  constexpr int kMostLooks = 100;
  std::set<std::string> added;
  for (int look = 0; look < kMostLooks; ++look) {
    const std::size_t before = added.size();
    for (const pid_t pid : TRY(processes())) {
      // Of a process that has just ended nothing is left to add.
      const auto threads = sys::list_subdirectories(AT_FDCWD, fmt::format("/proc/{}/task", pid));
      for (const std::string& thread : threads.value_or(std::vector<std::string>())) {
        if (added.insert(thread).second) {
          Status written = sys::write_file(AT_FDCWD, groups.control + "/tasks", thread);
          if (!written && !written.error().is(ESRCH)) {
            return written;
          }
        }
      }
    }
    if (added.size() == before) {
      return {};
    }
  }
  return fail(ErrorKind::kSystem, "move the container's processes to {}: they start others faster", groups.control);
}

void warn_unless(const Status& undone) {
  if (!undone) {
    log::warning("the shares of resctrl are not as they were before: {}", undone.error().message());
  }
}

}  // namespace

std::string mount_point(std::string_view mountinfo) {
  while (!mountinfo.empty()) {
    const std::string_view line = mountinfo.substr(0, mountinfo.find('\n'));
    mountinfo.remove_prefix(std::min(mountinfo.size(), line.size() + 1));
    if (line.find(" - resctrl ") == std::string_view::npos) {
      continue;
    }
    std::string_view fields = line;
    for (int skipped = 0; skipped < 4; ++skipped) {  // id, parent, device, root
      fields.remove_prefix(std::min(fields.size(), fields.find(' ') + 1));
    }
    return std::string(fields.substr(0, fields.find(' ')));
  }
  return {};
}

std::vector<std::string> Groups::made() const {
  std::vector<std::string> directories;
  if (!monitoring.empty()) {
    directories.push_back(monitoring);
  }
  if (makes_control) {
    directories.push_back(control);
  }
  return directories;
}

std::vector<std::string> Groups::owned() const {
  std::vector<std::string> directories = made();
  if (makes_control && !owns_control) {
    directories.pop_back();
  }
  return directories;
}

Result<Groups> find(const plan::IntelRdt& plan, const std::string& id) {
  return find_below(TRY_CONTEXT(root_directory(), "/linux/intelRdt"), plan, id);
}

Result<Groups> groups_of(const plan::IntelRdt& plan, const std::string& id) {
  return names_below(TRY_CONTEXT(root_directory(), "/linux/intelRdt"), plan, id);
}

Result<Groups> groups_to_change(const plan::IntelRdt& plan, const std::string& id) {
  return groups_to_change_below(TRY_CONTEXT(root_directory(), "Intel RDT"), plan, id);
}

Result<Groups> groups_to_change_below(const std::string& root, const plan::IntelRdt& plan, const std::string& id) {
  Groups groups = names_below(root, plan, id);
  groups.makes_control = groups.owns_control && !TRY(exists(groups.control));
  if (groups.makes_control) {
    groups.monitoring.clear();
  }
  return groups;
}

Result<Groups> find_below(const std::string& root, const plan::IntelRdt& plan, const std::string& id) {
  Groups groups = names_below(root, plan, id);
  groups.makes_control = groups.owns_control || !TRY(exists(groups.control));
  // Whose name is in the intent goes away with a failure: nothing of somebody else's.
  for (const std::string& directory : groups.made()) {
    if (TRY(exists(directory))) {
      return fail(ErrorKind::kConfig, "/linux/intelRdt: {} exists already", directory);
    }
  }
  if (!groups.makes_control) {
    TRY(check_class(groups, plan));
  } else if (!groups.owns_control && plan.schemas.empty() && plan.schemata.empty()) {
    return fail(ErrorKind::kConfig, "/linux/intelRdt/closID: got \"{}\" alone, expected a class that exists in {}",
                one_line(plan.clos_id), root);
  }
  return groups;
}

Status change(const Groups& groups, const std::string& lines,
              const std::function<Result<std::vector<pid_t>>()>& processes, const std::function<Status()>& rest) {
  const std::string before =
      groups.makes_control ? "" : TRY(sys::read_file(AT_FDCWD, groups.control + "/schemata", kFileLimit));
  if (groups.makes_control) {
    TRY(sys::make_directory(AT_FDCWD, groups.control, 0755));  // before the guard: one that exists is somebody else's
  }
  ScopeGuard undo([&] {
    warn_unless(groups.makes_control ? remove(groups.made())
                                     : write_schemata(groups, before.substr(0, before.find_last_not_of('\n') + 1)));
  });
  TRY(write_schemata(groups, lines));
  if (groups.makes_control) {
    TRY(add_all(groups, processes));
  }
  TRY(rest());
  undo.dismiss();
  return {};
}

Status write_schemata(const Groups& groups, const std::string& lines) {
  const std::string file = groups.control + "/schemata";
  // O_CREAT changes nothing on resctrl, which makes its files with the directory.
  const sys::UniqueFd fd = TRY(sys::open_at(AT_FDCWD, file, O_WRONLY | O_CREAT | O_TRUNC, 0644));
  auto written = sys::write_once(fd.get(), lines + "\n", file);
  if (!written) {
    const auto reason = sys::read_file(AT_FDCWD, groups.root + "/info/last_cmd_status", kFileLimit);
    Error error = std::move(written).error();
    if (reason && !reason->empty()) {
      error.add_hint(one_line(reason->substr(0, reason->find('\n'))));
    }
    return std::unexpected(std::move(error));
  }
  return {};
}

Status make(const Groups& groups, const plan::IntelRdt& plan) {
  if (groups.makes_control) {
    auto made = sys::make_directory(AT_FDCWD, groups.control, 0755);
    if (!made) {
      Error error = std::move(made).error();
      if (error.is(ENOSPC)) {
        error.add_hint("the processor has no class of service left");
      }
      return std::unexpected(std::move(error));
    }
  }
  if (!plan.schemas.empty() && groups.makes_control) {
    TRY(write_schemata(groups, plan.schemas));
  }
  if (!plan.schemata.empty()) {
    TRY(write_schemata(groups, plan.schemata));
  }
  if (!groups.monitoring.empty()) {
    TRY(sys::make_directory(AT_FDCWD, groups.monitoring, 0755));
  }
  return {};
}

Status add(const Groups& groups, pid_t pid) {
  for (const std::string& directory : {groups.control, groups.monitoring}) {
    if (!directory.empty()) {
      TRY(sys::write_file(AT_FDCWD, directory + "/tasks", std::to_string(pid)));
    }
  }
  return {};
}

Status remove(std::span<const std::string> directories) {
  for (const std::string& directory : directories) {
    auto removed = sys::unlink_at(AT_FDCWD, directory, AT_REMOVEDIR);
    if (!removed && !removed.error().is(ENOENT)) {
      return removed;
    }
  }
  return {};
}

}  // namespace berth::rdt
