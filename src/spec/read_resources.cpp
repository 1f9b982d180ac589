#include "spec/read_config.hpp"

namespace berth::spec {

void read(const Cursor& at, DeviceRule& rule) {
  Fields(at)
      .required("allow", rule.allow)
      .optional("type", rule.type)
      .optional("major", rule.major)
      .optional("minor", rule.minor)
      .optional("access", rule.access);
}

void read(const Cursor& at, MemoryResources& memory) {
  Fields(at)
      .optional("limit", memory.limit)
      .optional("reservation", memory.reservation)
      .optional("swap", memory.swap)
      .optional("kernel", memory.kernel)
      .optional("kernelTCP", memory.kernel_tcp)
      .optional("swappiness", memory.swappiness)
      .optional("disableOOMKiller", memory.disable_oom_killer)
      .optional("useHierarchy", memory.use_hierarchy)
      .optional("checkBeforeUpdate", memory.check_before_update);
}

void read(const Cursor& at, CpuResources& cpu) {
  Fields(at)
      .optional("shares", cpu.shares)
      .optional("quota", cpu.quota)
      .optional("burst", cpu.burst)
      .optional("period", cpu.period)
      .optional("realtimeRuntime", cpu.realtime_runtime)
      .optional("realtimePeriod", cpu.realtime_period)
      .optional("idle", cpu.idle)
      .optional("cpus", cpu.cpus)
      .optional("mems", cpu.mems);
}

void read(const Cursor& at, PidsResources& pids) {
  Fields(at).required("limit", pids.limit);
}

void read(const Cursor& at, BlockWeightDevice& device) {
  Fields(at)
      .required("major", device.major)
      .required("minor", device.minor)
      .optional("weight", device.weight)
      .optional("leafWeight", device.leaf_weight);
}

void read(const Cursor& at, BlockThrottleDevice& device) {
  Fields(at).required("major", device.major).required("minor", device.minor).optional("rate", device.rate);
}

void read(const Cursor& at, BlockIoResources& block_io) {
  Fields(at)
      .optional("weight", block_io.weight)
      .optional("leafWeight", block_io.leaf_weight)
      .optional("weightDevice", block_io.weight_device)
      .optional("throttleReadBpsDevice", block_io.throttle_read_bps_device)
      .optional("throttleWriteBpsDevice", block_io.throttle_write_bps_device)
      .optional("throttleReadIOPSDevice", block_io.throttle_read_iops_device)
      .optional("throttleWriteIOPSDevice", block_io.throttle_write_iops_device);
}

void read(const Cursor& at, HugepageLimit& limit) {
  Fields(at).required("pageSize", limit.page_size).required("limit", limit.limit);
}

void read(const Cursor& at, InterfacePriority& priority) {
  Fields(at).required("name", priority.name).required("priority", priority.priority);
}

void read(const Cursor& at, NetworkResources& network) {
  Fields(at).optional("classID", network.class_id).optional("priorities", network.priorities);
}

void read(const Cursor& at, RdmaLimit& limit) {
  Fields(at).optional("hcaHandles", limit.hca_handles).optional("hcaObjects", limit.hca_objects);
}

void read(const Cursor& at, Resources& resources) {
  Fields(at)
      .optional("devices", resources.devices)
      .optional("memory", resources.memory)
      .optional("cpu", resources.cpu)
      .optional("pids", resources.pids)
      .optional("blockIO", resources.block_io)
      .optional("hugepageLimits", resources.hugepage_limits)
      .optional("network", resources.network)
      .optional("rdma", resources.rdma)
      .optional("unified", resources.unified);
}

}  // namespace berth::spec
