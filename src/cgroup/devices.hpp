// Device rules: which devices the container may make, read and write.
#pragma once

#include <berth/base/error.hpp>
#include <berth/cgroup/cgroup.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/sys/unique_fd.hpp>

#include <linux/bpf.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::cgroup {

/// Pure, but for the placement that it is asked about: an error if these rules have no form there, or if no hierarchy
/// of the placement can enforce any.
Status check_device_rules(const Placement& placement, const std::vector<plan::DeviceRule>& rules);

/// Rules that the kernel has accepted already, where it can be asked: to apply them changes everything or fails.
struct DeviceRules {
  std::vector<plan::DeviceRule> rules;  ///< with the default ones
  sys::UniqueFd program;                ///< where cgroup2 enforces them
  bool may_apply = true;  ///< false: the caller may not, in a user namespace. It is let through: its containers cannot
                          ///< make a device node that works, by the kernel's own rule (capabilities(7), CAP_MKNOD)
};
/// Changes nothing yet.
Result<DeviceRules> prepare_device_rules(const Placement& placement, const std::vector<plan::DeviceRule>& rules);

/// Makes the cgroup enforce the rules. `cgroup2_fd` is the directory's descriptor or -1; `is_new` says that no program
/// can be attached yet.
Status apply_device_rules(const Placement& placement, int cgroup2_fd, bool is_new, const DeviceRules& rules);

/// The rules of config.json and, after them, those for what every container has: null, zero, full, random, urandom,
/// tty, ptmx, the pseudo terminals, and mknod of any device (which without read and write gives access to nothing).
std::vector<plan::DeviceRule> with_default_devices(const std::vector<plan::DeviceRule>& rules);

/// "c 1:3 rwm", "b *:* m": as cgroup v1 writes a rule, and for errors.
std::string describe(const plan::DeviceRule& rule);

namespace legacy {
/// What to write to devices.deny and then to devices.allow (or the other way round).
struct DeviceWrites {
  std::string first_file;  ///< "devices.deny" if what no rule names is denied
  std::string other_file;
  std::vector<std::string> others;  ///< exceptions; `first_file` gets "a" before, which clears what was
};
/// Pure. cgroup v1 has one default and a list of exceptions; a rule that takes a part out of a wider exception has no
/// form there, and is an error (nothing wider or narrower than asked is written).
Result<DeviceWrites> device_writes(const std::vector<plan::DeviceRule>& rules);

/// One write to devices.allow or devices.deny.
struct DeviceChange {
  bool allow = false;
  std::string rule;
  friend bool operator==(const DeviceChange&, const DeviceChange&) = default;
};
/// Pure. From what `devices_list` shows to what `wanted` describes, allowing before denying. Nothing where one of them
/// allows by default: the file does not show what is denied then.
std::optional<std::vector<DeviceChange>> device_changes(std::string_view devices_list, const DeviceWrites& wanted);
}  // namespace legacy

namespace unified {
/// Rules of which the first that matches a device and speaks of a kind of access decides about it.
struct DecisiveRules {
  std::vector<plan::DeviceRule> rules;
  bool otherwise = false;  ///< what holds where none of them decides
};
/// Pure. From rules of which the last decides, without those that change nothing.
DecisiveRules decisive_rules(const std::vector<plan::DeviceRule>& rules);

/// Pure. A program of type BPF_PROG_TYPE_CGROUP_DEVICE that returns 1 if each requested kind of access is allowed by
/// the last rule that matches the device and speaks of that kind, else 0. An error if it would be too long (more than
/// 5,000 rules).
Result<std::vector<bpf_insn>> device_program(const std::vector<plan::DeviceRule>& rules);
}  // namespace unified

}  // namespace berth::cgroup
