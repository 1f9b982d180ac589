#include <fmt/format.h>

#include "cgroup/legacy/limits.hpp"

namespace berth::cgroup::legacy {
namespace {

FileWrite write(const char* property, const char* file, std::string value) {
  return {.property = std::string("/linux/resources/blockIO/") + property,
          .controller = "blkio",
          .file = file,
          .value = std::move(value)};
}

// blkio.weight is of the CFQ scheduler, which Linux 5.0 dropped for BFQ and its own names.
FileWrite write_weight(const char* property, const char* bfq_file, const char* cfq_file, const std::string& value) {
  FileWrite result = write(property, bfq_file, value);
  result.fallback_file = cfq_file;
  result.fallback_value = value;
  return result;
}

void add_rates(std::vector<FileWrite>& writes, const char* property, const char* file,
               const std::vector<plan::BlockDeviceRate>& rates) {
  for (const plan::BlockDeviceRate& rate : rates) {
    writes.push_back(write(property, file, fmt::format("{}:{} {}", rate.major, rate.minor, rate.rate)));
  }
}

}  // namespace

Result<std::vector<FileWrite>> blkio(const plan::Resources& resources) {
  const plan::BlockIoLimits& block_io = resources.block_io;
  std::vector<FileWrite> writes;
  if (block_io.weight) {
    writes.push_back(write_weight("weight", "blkio.bfq.weight", "blkio.weight", fmt::to_string(*block_io.weight)));
  }
  if (block_io.leaf_weight) {
    writes.push_back(write("leafWeight", "blkio.leaf_weight", fmt::to_string(*block_io.leaf_weight)));
  }
  for (const plan::BlockDeviceWeight& device : block_io.weight_devices) {
    if (device.weight) {
      writes.push_back(write_weight("weightDevice", "blkio.bfq.weight_device", "blkio.weight_device",
                                    fmt::format("{}:{} {}", device.major, device.minor, *device.weight)));
    }
    if (device.leaf_weight) {
      writes.push_back(write("weightDevice", "blkio.leaf_weight_device",
                             fmt::format("{}:{} {}", device.major, device.minor, *device.leaf_weight)));
    }
  }
  add_rates(writes, "throttleReadBpsDevice", "blkio.throttle.read_bps_device", block_io.read_bps);
  add_rates(writes, "throttleWriteBpsDevice", "blkio.throttle.write_bps_device", block_io.write_bps);
  add_rates(writes, "throttleReadIOPSDevice", "blkio.throttle.read_iops_device", block_io.read_iops);
  add_rates(writes, "throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", block_io.write_iops);
  return writes;
}

}  // namespace berth::cgroup::legacy
