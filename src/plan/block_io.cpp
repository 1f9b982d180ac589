#include <limits>

#include "plan/resource_checks.hpp"

namespace berth::plan {
namespace {

using spec::Problems;

// blkio.weight and io.bfq.weight of the kernel, through the range of the specification.
constexpr std::uint16_t kMinWeight = 10;
constexpr std::uint16_t kMaxWeight = 1000;
constexpr std::string_view kPointer = "/linux/resources/blockIO";

// 0 is "not set": dockerd writes it.
std::optional<std::uint16_t> lower_weight(Problems& problems, const std::optional<std::uint16_t>& weight,
                                          const std::string& pointer) {
  if (!weight || *weight == 0) {
    return std::nullopt;
  }
  if (*weight < kMinWeight || *weight > kMaxWeight) {
    problems.add(pointer, fmt::format("{}", *weight), fmt::format("an integer from {} to {}", kMinWeight, kMaxWeight));
  }
  return weight;
}

std::uint32_t lower_number(Problems& problems, std::int64_t number, const std::string& pointer) {
  if (number < 0 || number > std::numeric_limits<std::uint32_t>::max()) {
    problems.add(pointer, fmt::format("{}", number), "a device number");
  }
  return static_cast<std::uint32_t>(number);
}

void lower_weights(Problems& problems, const std::vector<spec::BlockWeightDevice>& entries,
                   std::vector<BlockDeviceWeight>& plan) {
  for (std::size_t index = 0; index < entries.size(); ++index) {
    const spec::BlockWeightDevice& entry = entries[index];
    const std::string pointer = fmt::format("{}/weightDevice/{}", kPointer, index);
    plan.push_back({lower_number(problems, entry.major, pointer + "/major"),
                    lower_number(problems, entry.minor, pointer + "/minor"),
                    lower_weight(problems, entry.weight, pointer + "/weight"),
                    lower_weight(problems, entry.leaf_weight, pointer + "/leafWeight")});
  }
}

void lower_rates(Problems& problems, const std::vector<spec::BlockThrottleDevice>& entries, std::string_view name,
                 std::vector<BlockDeviceRate>& plan) {
  for (std::size_t index = 0; index < entries.size(); ++index) {
    const std::string pointer = fmt::format("{}/{}/{}", kPointer, name, index);
    plan.push_back({lower_number(problems, entries[index].major, pointer + "/major"),
                    lower_number(problems, entries[index].minor, pointer + "/minor"), entries[index].rate});
  }
}

// The names that the kernel gives to huge pages: 64KB, 2MB, 1GB.
bool is_page_size(std::string_view text) {
  const std::size_t digits = text.find_first_not_of("0123456789");
  if (text.empty() || text.front() == '0' || digits == 0 || digits == std::string_view::npos) {
    return false;
  }
  const std::string_view unit = text.substr(digits);
  return unit == "KB" || unit == "MB" || unit == "GB";
}

}  // namespace

void lower_block_io(Problems& problems, const spec::BlockIoResources& entry, BlockIoLimits& plan) {
  plan.weight = lower_weight(problems, entry.weight, fmt::format("{}/weight", kPointer));
  plan.leaf_weight = lower_weight(problems, entry.leaf_weight, fmt::format("{}/leafWeight", kPointer));
  lower_weights(problems, entry.weight_device, plan.weight_devices);
  lower_rates(problems, entry.throttle_read_bps_device, "throttleReadBpsDevice", plan.read_bps);
  lower_rates(problems, entry.throttle_write_bps_device, "throttleWriteBpsDevice", plan.write_bps);
  lower_rates(problems, entry.throttle_read_iops_device, "throttleReadIOPSDevice", plan.read_iops);
  lower_rates(problems, entry.throttle_write_iops_device, "throttleWriteIOPSDevice", plan.write_iops);
}

void lower_hugepages(Problems& problems, const std::vector<spec::HugepageLimit>& entries,
                     std::vector<HugepageLimit>& plan) {
  for (std::size_t index = 0; index < entries.size(); ++index) {
    if (!is_page_size(entries[index].page_size)) {
      problems.add(fmt::format("/linux/resources/hugepageLimits/{}/pageSize", index),
                   spec::quoted(entries[index].page_size), "a number and KB, MB or GB, as 2MB");
    }
    plan.push_back({entries[index].page_size, entries[index].limit});
  }
}

}  // namespace berth::plan
