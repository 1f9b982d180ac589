#include "cgroup/devices.hpp"

#include <array>
#include <fmt/format.h>

namespace berth::cgroup {
namespace {

constexpr plan::DeviceRule allow_mknod(char type) {
  return {.allow = true, .type = type, .major = {}, .minor = {}, .read = false, .write = false, .mknod = true};
}

constexpr plan::DeviceRule allow_character(std::uint32_t major, std::optional<std::uint32_t> minor) {
  return {.allow = true, .type = 'c', .major = major, .minor = minor, .read = true, .write = true, .mknod = true};
}

// The list that runc keeps for all containers; engines and programs rely on it. Numbers:
// Documentation/admin-guide/devices.txt.
constexpr std::array<plan::DeviceRule, 10> kDefaultDevices = {
    allow_mknod('c'),         allow_mknod('b'), allow_character(1, 3),  // null
    allow_character(1, 8),                                              // random
    allow_character(1, 7),                                              // full
    allow_character(5, 0),                                              // tty
    allow_character(1, 5),                                              // zero
    allow_character(1, 9),                                              // urandom
    allow_character(136, {}),                                           // the pseudo terminals' user side
    allow_character(5, 2),                                              // ptmx
};

std::string number_or_any(const std::optional<std::uint32_t>& number) {
  return number ? fmt::to_string(*number) : "*";
}

}  // namespace

std::vector<plan::DeviceRule> with_default_devices(const std::vector<plan::DeviceRule>& rules) {
  std::vector<plan::DeviceRule> result = rules;
  result.insert(result.end(), kDefaultDevices.begin(), kDefaultDevices.end());
  return result;
}

std::string describe(const plan::DeviceRule& rule) {
  return fmt::format("{} {}:{} {}{}{}", rule.type, number_or_any(rule.major), number_or_any(rule.minor),
                     rule.read ? "r" : "", rule.write ? "w" : "", rule.mknod ? "m" : "");
}

}  // namespace berth::cgroup
