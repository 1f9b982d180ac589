#include "cgroup/systemd/unit_properties.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>

#include "cgroup/layout.hpp"

namespace berth::cgroup::systemd {
namespace {

constexpr std::uint64_t kInfinity = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kSecond = 1'000'000;       // microseconds
constexpr std::uint64_t kPercent = kSecond / 100;  // what systemd rounds a quota down to
constexpr std::uint64_t kDefaultPeriod = 100'000;  // Documentation/admin-guide/cgroup-v2.rst, cpu.max
constexpr unsigned kHasQuotaPeriod = 242;
constexpr unsigned kHasCpusets = 244;
constexpr unsigned kHasIdle = 252;

// Files that hold one number, and the property that is the same.
struct NumberProperty {
  std::string_view file;
  std::string_view property;
  std::uint64_t least = 0;  ///< that systemd takes, where the kernel takes less
};
constexpr std::array<NumberProperty, 7> kNumbers{{
    {.file = "memory.max", .property = "MemoryMax", .least = 1},
    {.file = "memory.high", .property = "MemoryHigh", .least = 1},
    {.file = "memory.low", .property = "MemoryLow"},
    {.file = "memory.min", .property = "MemoryMin"},
    {.file = "memory.swap.max", .property = "MemorySwapMax"},
    {.file = "pids.max", .property = "TasksMax", .least = 1},
    {.file = "cpu.weight", .property = "CPUWeight", .least = 1},
}};

// As the kernel reads it: "max" is no limit, and /linux/resources/unified may say 64M or 0x1000 (memparse() in
// lib/cmdline.c). Nothing for any other text: a wrong number here would be a wrong limit.
std::optional<std::uint64_t> number_in(std::string_view text) {
  if (text == "max") {
    return kInfinity;
  }
  const bool hexadecimal = text.starts_with("0x");
  text.remove_prefix(hexadecimal ? 2 : 0);
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number, hexadecimal ? 16 : 10);
  text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
  if (parsed.ec != std::errc() || text.size() > 1) {
    return std::nullopt;
  }
  if (text.empty()) {
    return number;
  }
  constexpr std::string_view kUnits = "KMGTPE";
  constexpr char kLowerCase = 0x20;
  const std::size_t unit = kUnits.find(static_cast<char>(text.front() & ~kLowerCase));
  const std::size_t bits = 10 * (unit + 1);
  return unit == std::string_view::npos || number > kInfinity >> bits ? std::nullopt : std::optional(number << bits);
}

// "0-2,7" as the bits of 0x87: that of CPU 0 is the lowest of the first byte.
std::vector<std::uint8_t> bits_of(std::string_view list) {
  std::vector<std::uint8_t> bits;
  for (const std::string& range : split(list, ',')) {
    const std::size_t dash = range.find('-');
    const auto first = number_in(std::string_view(range).substr(0, dash));
    const auto last = dash == std::string::npos ? first : number_in(std::string_view(range).substr(dash + 1));
    constexpr std::uint64_t kMaxCpu = 65'536;
    for (std::uint64_t bit = first.value_or(1); last && bit <= std::min(*last, kMaxCpu); ++bit) {
      bits.resize(std::max<std::size_t>(bits.size(), bit / 8 + 1));
      bits[bit / 8] = static_cast<std::uint8_t>(bits[bit / 8] | 1U << bit % 8);
    }
  }
  return bits;
}

struct Quota {
  std::optional<std::uint64_t> quota;  ///< microseconds; kInfinity: none
  std::optional<std::uint64_t> period;
};

void add_quota(const Quota& cpu, unsigned version, std::vector<UnitProperty>& properties) {
  if (cpu.period && version >= kHasQuotaPeriod) {
    properties.push_back({"CPUQuotaPeriodUSec", *cpu.period});
  }
  if (cpu.quota || cpu.period) {
    std::uint64_t per_second = kInfinity;
    const std::uint64_t period = std::max<std::uint64_t>(cpu.period.value_or(kDefaultPeriod), 1);
    if (cpu.quota && *cpu.quota < kInfinity / kSecond) {
      per_second = (*cpu.quota * kSecond / period + kPercent - 1) / kPercent * kPercent;
    }
    properties.push_back({"CPUQuotaPerSecUSec", per_second});
  }
}

void add_property(const FileWrite& write, unsigned version, Quota& cpu, std::vector<UnitProperty>& properties) {
  const auto* number = std::ranges::find(kNumbers, write.file, &NumberProperty::file);
  if (number != kNumbers.end()) {
    if (const auto value = number_in(write.value)) {
      properties.push_back({std::string(number->property), std::max(*value, number->least)});
    }
  } else if (write.file == "cpu.max") {
    const std::vector<std::string> parts = split(write.value, ' ');
    cpu.quota = parts.empty() ? std::nullopt : number_in(parts[0]);
    cpu.period = parts.size() < 2 ? std::nullopt : number_in(parts[1]);
  } else if (write.file == "cpu.idle" && write.value == "1" && version >= kHasIdle) {
    properties.push_back({"CPUWeight", std::uint64_t{0}});
  } else if (write.file == "io.weight" || write.fallback_file == "io.weight") {
    const std::string& text = write.file == "io.weight" ? write.value : write.fallback_value;
    if (const auto weight = number_in(text.starts_with("default ") ? text.substr(8) : text)) {
      properties.push_back({"IOWeight", *weight});
    }
  } else if (write.file == "cpuset.cpus" && version >= kHasCpusets) {
    properties.push_back({"AllowedCPUs", bits_of(write.value)});
  } else if (write.file == "cpuset.mems" && version >= kHasCpusets) {
    properties.push_back({"AllowedMemoryNodes", bits_of(write.value)});
  }
}

}  // namespace

std::vector<UnitProperty> unit_properties(const std::vector<FileWrite>& writes, unsigned version) {
  std::vector<UnitProperty> properties;
  Quota cpu;
  for (const FileWrite& write : writes) {
    add_property(write, version, cpu, properties);
  }
  add_quota(cpu, version, properties);
  return properties;
}

unsigned systemd_version(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_of("0123456789"), text.size()));
  unsigned version = 0;
  std::from_chars(text.data(), text.data() + text.size(), version);
  return version;
}

}  // namespace berth::cgroup::systemd
