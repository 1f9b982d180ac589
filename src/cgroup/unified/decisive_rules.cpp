#include <algorithm>
#include <ranges>

#include "cgroup/devices.hpp"

namespace berth::cgroup::unified {
namespace {

using plan::DeviceRule;

bool speaks_of_nothing(const DeviceRule& rule) {
  return !rule.read && !rule.write && !rule.mknod;
}

bool decides_everything(const DeviceRule& rule) {
  return rule.type == 'a' && !rule.major && !rule.minor && rule.read && rule.write && rule.mknod;
}

// Whether every access that `rule` decides is decided by `other`.
bool is_within(const DeviceRule& rule, const DeviceRule& other) {
  return (other.type == 'a' || other.type == rule.type) && (!other.major || other.major == rule.major) &&
         (!other.minor || other.minor == rule.minor) && (other.read || !rule.read) && (other.write || !rule.write) &&
         (other.mknod || !rule.mknod);
}

// Whether there is an access that both decide.
bool overlap(const DeviceRule& one, const DeviceRule& other) {
  return (one.type == 'a' || other.type == 'a' || one.type == other.type) &&
         (!one.major || !other.major || one.major == other.major) &&
         (!one.minor || !other.minor || one.minor == other.minor) &&
         ((one.read && other.read) || (one.write && other.write) || (one.mknod && other.mknod));
}

}  // namespace

DecisiveRules decisive_rules(const std::vector<DeviceRule>& rules) {
  DecisiveRules result;
  std::vector<DeviceRule> kept;
  for (const DeviceRule& rule : rules | std::views::reverse) {
    if (decides_everything(rule)) {
      result.otherwise = rule.allow;
      break;
    }
    const auto decides_before = [&](const DeviceRule& earlier) { return is_within(rule, earlier); };
    if (!speaks_of_nothing(rule) && std::ranges::none_of(kept, decides_before)) {
      kept.push_back(rule);
    }
  }
  // From the last: one that says what holds anyway is of use only where it stands before the opposite.
  for (const DeviceRule& rule : kept | std::views::reverse) {
    const auto is_stopped = [&](const DeviceRule& later) { return later.allow != rule.allow && overlap(later, rule); };
    if (rule.allow != result.otherwise || std::ranges::any_of(result.rules, is_stopped)) {
      result.rules.push_back(rule);
    }
  }
  std::ranges::reverse(result.rules);
  return result;
}

}  // namespace berth::cgroup::unified
