#include "cgroup/legacy/limits.hpp"
#include "cgroup/unified/limits.hpp"

namespace berth::cgroup {
namespace {

// The same files with the same meaning in both versions.
std::vector<FileWrite> cpuset_writes(const plan::CpuLimits& cpu) {
  std::vector<FileWrite> writes;
  if (!cpu.cpus.empty()) {
    writes.push_back(
        {.property = "/linux/resources/cpu/cpus", .controller = "cpuset", .file = "cpuset.cpus", .value = cpu.cpus});
  }
  if (!cpu.mems.empty()) {
    writes.push_back(
        {.property = "/linux/resources/cpu/mems", .controller = "cpuset", .file = "cpuset.mems", .value = cpu.mems});
  }
  return writes;
}

}  // namespace

Result<std::vector<FileWrite>> legacy::cpuset(const plan::Resources& resources) {
  return cpuset_writes(resources.cpu);
}
Result<std::vector<FileWrite>> unified::cpuset(const plan::Resources& resources) {
  return cpuset_writes(resources.cpu);
}

}  // namespace berth::cgroup
