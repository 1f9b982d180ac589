#include "cgroup/devices.hpp"

#include <algorithm>
#include <map>

#include "cgroup/layout.hpp"

namespace berth::cgroup::legacy {
namespace {

using plan::DeviceRule;

bool wider_or_equal(const std::optional<std::uint32_t>& wide, const std::optional<std::uint32_t>& narrow) {
  return !wide || wide == narrow;
}

bool overlap(const std::optional<std::uint32_t>& a, const std::optional<std::uint32_t>& b) {
  return !a || !b || *a == *b;
}

// Whether every device of `inner` is one of `outer`. The types are b or c here, never a.
bool covers(const DeviceRule& outer, const DeviceRule& inner) {
  return outer.type == inner.type && wider_or_equal(outer.major, inner.major) &&
         wider_or_equal(outer.minor, inner.minor);
}

bool share_devices(const DeviceRule& a, const DeviceRule& b) {
  return a.type == b.type && overlap(a.major, b.major) && overlap(a.minor, b.minor);
}

bool share_access(const DeviceRule& a, const DeviceRule& b) {
  return (a.read && b.read) || (a.write && b.write) || (a.mknod && b.mknod);
}

bool has_access(const DeviceRule& rule) {
  return rule.read || rule.write || rule.mknod;
}

bool is_everything(const DeviceRule& rule) {
  return rule.type == 'a' && !rule.major && !rule.minor && rule.read && rule.write && rule.mknod;
}

// The kernel's own model (security/device_cgroup.c), computed here so that only its result is written.
class ExceptionList {
 public:
  Status add(const DeviceRule& rule) {
    if (is_everything(rule)) {
      allow_by_default_ = rule.allow;
      exceptions_.clear();
      return {};
    }
    if (rule.type == 'a') {  // v1 ignores numbers and access beside "a"
      for (const char type : {'b', 'c'}) {
        DeviceRule one_type = rule;
        one_type.type = type;
        TRY(add(one_type));
      }
      return {};
    }
    return rule.allow == allow_by_default_ ? take_back(rule) : add_exception(rule);
  }

  [[nodiscard]] DeviceWrites writes() const {
    DeviceWrites result{.first_file = allow_by_default_ ? "devices.allow" : "devices.deny",
                        .other_file = allow_by_default_ ? "devices.deny" : "devices.allow",
                        .others = {}};
    for (const DeviceRule& exception : exceptions_) {
      result.others.push_back(describe(exception));
    }
    return result;
  }

 private:
  Status add_exception(const DeviceRule& rule) {
    DeviceRule exception = rule;
    for (DeviceRule& other : exceptions_) {
      // One exception must grant the whole of an access (read and write in one open): what a wider rule grants
      // belongs to the narrower exception as well.
      if (covers(other, exception)) {
        grant(exception, other);
      } else if (covers(exception, other)) {
        grant(other, exception);
      }
    }
    std::erase_if(exceptions_,
                  [&](const DeviceRule& other) { return covers(other, exception) && covers(exception, other); });
    exceptions_.push_back(exception);
    return {};
  }

  Status take_back(const DeviceRule& rule) {
    for (DeviceRule& exception : exceptions_) {
      if (!share_devices(rule, exception) || !share_access(rule, exception)) {
        continue;
      }
      if (!covers(rule, exception)) {
        return fail(ErrorKind::kConfig,
                    "/linux/resources/devices: cgroup v1 cannot {} \"{}\" out of the wider \"{}\" before it",
                    rule.allow ? "allow" : "deny", describe(rule), describe(exception));
      }
      exception.read = exception.read && !rule.read;
      exception.write = exception.write && !rule.write;
      exception.mknod = exception.mknod && !rule.mknod;
    }
    std::erase_if(exceptions_, [](const DeviceRule& exception) { return !has_access(exception); });
    return {};
  }

  static void grant(DeviceRule& to, const DeviceRule& from) {
    to.read = to.read || from.read;
    to.write = to.write || from.write;
    to.mknod = to.mknod || from.mknod;
  }

  bool allow_by_default_ = false;
  std::vector<DeviceRule> exceptions_;
};

}  // namespace

Result<DeviceWrites> device_writes(const std::vector<DeviceRule>& rules) {
  ExceptionList list;
  for (const DeviceRule& rule : rules) {
    if (has_access(rule)) {
      TRY(list.add(rule));
    }
  }
  return list.writes();
}

std::optional<std::vector<DeviceChange>> device_changes(std::string_view devices_list, const DeviceWrites& wanted) {
  if (wanted.first_file != "devices.deny" || devices_list.starts_with('a')) {
    return std::nullopt;
  }
  // Access by "c 1:3": the kernel keeps one entry for each.
  using Access = std::map<std::string, std::string>;
  const auto access_of = [](const std::vector<std::string>& rules) {
    Access access;
    for (const std::string& rule : rules) {
      const std::size_t end = std::min(rule.rfind(' '), rule.size() - 1);
      access[rule.substr(0, end)] = rule.substr(end + 1);
    }
    return access;
  };
  const Access before = access_of(split(devices_list, '\n'));
  const Access after = access_of(wanted.others);
  std::vector<DeviceChange> changes;
  const auto add = [&](const Access& of, const Access& without, bool allow) {
    for (const auto& [device, access] : of) {
      const auto other = without.find(device);
      std::string letters = access;
      std::erase_if(letters, [&](char letter) {
        return other != without.end() && other->second.find(letter) != std::string::npos;
      });
      if (!letters.empty()) {
        changes.push_back({allow, device + " " + letters});
      }
    }
  };
  add(after, before, true);
  add(before, after, false);
  return changes;
}

}  // namespace berth::cgroup::legacy
