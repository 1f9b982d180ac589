#include <berth/sys/bpf.hpp>
#include <berth/sys/file.hpp>

#include <fcntl.h>

#include <cerrno>

#include "cgroup/devices.hpp"
#include "cgroup/layout.hpp"
#include "cgroup/place.hpp"

namespace berth::cgroup {
namespace {

using plan::DeviceRule;

std::unexpected<Error> no_device_control() {
  Error error(ErrorKind::kConfig,
              "/linux/resources/devices cannot be enforced: there is neither a v1 devices hierarchy nor cgroup2");
  error.add_hint("mount -t cgroup -o devices cgroup /sys/fs/cgroup/devices");
  return std::unexpected(std::move(error));
}

// One by one, and back again where one is refused: no process loses a device in between that it had and keeps.
Status write_changes(const std::string& directory, const std::vector<legacy::DeviceChange>& changes) {
  for (std::size_t done = 0; done < changes.size(); ++done) {
    const auto write = [&](const legacy::DeviceChange& change, bool allow) {
      return sys::write_file(AT_FDCWD, directory + (allow ? "/devices.allow" : "/devices.deny"), change.rule);
    };
    Status written = write(changes[done], changes[done].allow);
    if (!written) {
      while (done-- > 0) {
        static_cast<void>(write(changes[done], !changes[done].allow));  // the first error counts
      }
      return written;
    }
  }
  return {};
}

Status apply_legacy(const std::string& directory, bool is_new, const std::vector<DeviceRule>& rules) {
  const legacy::DeviceWrites writes = TRY(legacy::device_writes(rules));
  if (!is_new) {
    const std::string list = TRY(sys::read_file(AT_FDCWD, directory + "/devices.list", 1024UL * 1024));
    if (const auto changes = legacy::device_changes(list, writes)) {
      return write_changes(directory, *changes);
    }
  }
  TRY(sys::write_file(AT_FDCWD, directory + "/" + writes.first_file, "a"));
  if (writes.others.empty()) {
    return {};
  }
  const std::string name = directory + "/" + writes.other_file;
  const sys::UniqueFd file = TRY(sys::open_at(AT_FDCWD, name, O_WRONLY));
  for (const std::string& exception : writes.others) {
    TRY(sys::write_once(file.get(), exception, name));
  }
  return {};
}

Status attach(const Directory& directory, int cgroup_fd, bool is_new, int program) {
  sys::UniqueFd opened;
  if (cgroup_fd < 0) {
    opened = TRY(sys::open_at(AT_FDCWD, directory.path, O_RDONLY | O_DIRECTORY));
    cgroup_fd = opened.get();
  }
  const std::vector<sys::UniqueFd> before =
      is_new ? std::vector<sys::UniqueFd>() : TRY(sys::attached_device_programs(cgroup_fd));
  if (before.size() == 1) {
    Status replaced = sys::attach_device_program(cgroup_fd, program, before.front().get());
    // EINVAL: Linux before 5.6, or a program that was attached without ALLOW_MULTI. The way below has both attached
    // for a moment, so that only what both allow is allowed.
    if (replaced || !replaced.error().is(EINVAL)) {
      return replaced;
    }
  }
  TRY(sys::attach_device_program(cgroup_fd, program));
  for (const sys::UniqueFd& old : before) {
    TRY(sys::detach_device_program(cgroup_fd, old.get()));
  }
  return {};
}

bool may_not(const Error& error) {
  return (error.is(EPERM) || error.is(EACCES)) && is_unprivileged();
}

}  // namespace

Status check_device_rules(const Placement& placement, const std::vector<DeviceRule>& rules) {
  if (find_directory(placement, "devices") != nullptr) {
    TRY(legacy::device_writes(with_default_devices(rules)));
    return {};
  }
  return find_directory(placement, "") != nullptr ? Status() : no_device_control();
}

Result<DeviceRules> prepare_device_rules(const Placement& placement, const std::vector<DeviceRule>& rules) {
  TRY(check_device_rules(placement, rules));
  DeviceRules prepared{.rules = with_default_devices(rules), .program = {}};
  if (find_directory(placement, "devices") == nullptr) {
    const std::vector<bpf_insn> instructions = TRY(unified::device_program(prepared.rules));
    auto program = sys::load_device_program(instructions);
    prepared.may_apply = program || !may_not(program.error());
    if (prepared.may_apply) {
      prepared.program = TRY(std::move(program));
    }
  }
  return prepared;
}

Status apply_device_rules(const Placement& placement, int cgroup2_fd, bool is_new, const DeviceRules& rules) {
  if (!rules.may_apply) {
    return {};
  }
  const Directory* legacy = find_directory(placement, "devices");
  const Status applied = legacy != nullptr
                             ? apply_legacy(legacy->path, is_new, rules.rules)
                             : attach(*find_directory(placement, ""), cgroup2_fd, is_new, rules.program.get());
  return !applied && may_not(applied.error()) ? Status() : applied;
}

}  // namespace berth::cgroup
