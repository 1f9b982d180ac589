#include <fmt/format.h>

#include "cgroup/unified/limits.hpp"

namespace berth::cgroup::unified {
namespace {

FileWrite write(const char* property, const char* file, std::string value) {
  return {.property = std::string("/linux/resources/blockIO/") + property,
          .controller = "io",
          .file = file,
          .value = std::move(value)};
}

// The BFQ scheduler has its own file with the range of cgroup v1; io.weight is that of the io.cost controller.
FileWrite write_weight(const char* property, const std::string& device, std::uint16_t weight) {
  FileWrite result = write(property, "io.bfq.weight", fmt::format("{}{}", device, weight));
  result.fallback_file = "io.weight";
  result.fallback_value = fmt::format("{}{}", device, io_weight(weight));
  return result;
}

void add_rates(std::vector<FileWrite>& writes, const char* property, const char* key,
               const std::vector<plan::BlockDeviceRate>& rates) {
  for (const plan::BlockDeviceRate& rate : rates) {
    // 0 lifts the limit in cgroup v1; io.max refuses it and says "max".
    const std::string value = rate.rate == 0 ? "max" : fmt::to_string(rate.rate);
    writes.push_back(write(property, "io.max", fmt::format("{}:{} {}={}", rate.major, rate.minor, key, value)));
  }
}

std::unexpected<Error> no_leaf_weight(const char* property) {
  Error error(ErrorKind::kConfig, fmt::format("/linux/resources/blockIO/{}: cgroup2 has no leaf weight", property));
  error.add_hint("in cgroup2 only leaves have processes; use weight");
  return std::unexpected(std::move(error));
}

}  // namespace

std::uint64_t io_weight(std::uint16_t blkio_weight) {
  constexpr std::uint64_t kMinimum = 10;
  constexpr std::uint64_t kMaximum = 1000;
  if (blkio_weight <= kMinimum) {
    return 1;
  }
  return 1 + (blkio_weight - kMinimum) * 9999 / (kMaximum - kMinimum);
}

Result<std::vector<FileWrite>> io(const plan::Resources& resources) {
  const plan::BlockIoLimits& block_io = resources.block_io;
  if (block_io.leaf_weight) {
    return no_leaf_weight("leafWeight");
  }
  std::vector<FileWrite> writes;
  if (block_io.weight) {
    writes.push_back(write_weight("weight", "", *block_io.weight));
  }
  for (const plan::BlockDeviceWeight& device : block_io.weight_devices) {
    if (device.leaf_weight) {
      return no_leaf_weight("weightDevice/leafWeight");
    }
    if (device.weight) {
      writes.push_back(write_weight("weightDevice", fmt::format("{}:{} ", device.major, device.minor), *device.weight));
    }
  }
  add_rates(writes, "throttleReadBpsDevice", "rbps", block_io.read_bps);
  add_rates(writes, "throttleWriteBpsDevice", "wbps", block_io.write_bps);
  add_rates(writes, "throttleReadIOPSDevice", "riops", block_io.read_iops);
  add_rates(writes, "throttleWriteIOPSDevice", "wiops", block_io.write_iops);
  return writes;
}

}  // namespace berth::cgroup::unified
