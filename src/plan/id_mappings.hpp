#pragma once

#include <berth/plan/container_plan.hpp>
#include <berth/spec/problems.hpp>

#include <string>
#include <vector>

namespace berth::plan {

/// One map of ids, checked by the rules of user_namespaces(7): ranges that are not empty, do not overlap on either
/// side, and are not too many. `pointer` is where the list stands. Entries that cannot be are left out and recorded.
std::vector<IdMapping> lower_id_map(spec::Problems& problems, const std::vector<spec::IdMapping>& entries,
                                    const std::string& pointer);

}  // namespace berth::plan
