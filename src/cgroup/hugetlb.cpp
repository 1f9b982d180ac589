#include <fmt/format.h>

#include "cgroup/legacy/limits.hpp"
#include "cgroup/unified/limits.hpp"

namespace berth::cgroup {
namespace {

// hugetlb.SIZE.limit_in_bytes counts pages when they are touched, and a process that exceeds it gets SIGBUS; the rsvd
// file counts them when they are mapped, and mmap fails. runtime-spec 1.1 asks for both where the kernel has both
// (5.7).
std::vector<FileWrite> hugetlb_writes(const plan::Resources& resources, const char* suffix) {
  std::vector<FileWrite> writes;
  for (std::size_t i = 0; i < resources.hugepages.size(); ++i) {
    const plan::HugepageLimit& limit = resources.hugepages[i];
    for (const char* reservation : {"", "rsvd."}) {
      writes.push_back({.property = fmt::format("/linux/resources/hugepageLimits/{}", i),
                        .controller = "hugetlb",
                        .file = fmt::format("hugetlb.{}.{}{}", limit.page_size, reservation, suffix),
                        .value = fmt::to_string(limit.limit)});
    }
    writes.back().may_be_missing = true;  // before Linux 5.7 the first one alone is the limit
  }
  return writes;
}

}  // namespace

Result<std::vector<FileWrite>> legacy::hugetlb(const plan::Resources& resources) {
  return hugetlb_writes(resources, "limit_in_bytes");
}
Result<std::vector<FileWrite>> unified::hugetlb(const plan::Resources& resources) {
  return hugetlb_writes(resources, "max");
}

}  // namespace berth::cgroup
