// Parts of lower_resources() that are subjects of their own.
#pragma once

#include <berth/plan/container_plan.hpp>
#include <berth/spec/config.hpp>
#include <berth/spec/problems.hpp>

#include <string_view>
#include <vector>

namespace berth::plan {

void lower_block_io(spec::Problems& problems, const spec::BlockIoResources& entry, BlockIoLimits& plan);
void lower_hugepages(spec::Problems& problems, const std::vector<spec::HugepageLimit>& entries,
                     std::vector<HugepageLimit>& plan);

/// Whether a pids.limit of 0 is a limit. Since 1.3 of the specification it is; before, engines wrote it for "not set"
/// (dockerd 19.03 and 20.10 in every configuration).
[[nodiscard]] bool zero_pids_is_a_limit(std::string_view oci_version);

}  // namespace berth::plan
