#pragma once

#include <linux/mempolicy.h>

#include "plan/named.hpp"

namespace berth::plan {

/// MPOL_WEIGHTED_INTERLEAVE came with Linux 6.9, after the headers that this is built with.
inline constexpr int kMpolWeightedInterleave = 6;

/// linux.memoryPolicy.mode to MPOL_*.
inline constexpr std::array<Named<int>, 7> kMemoryPolicyModes = {{
    {"MPOL_BIND", MPOL_BIND},
    {"MPOL_DEFAULT", MPOL_DEFAULT},
    {"MPOL_INTERLEAVE", MPOL_INTERLEAVE},
    {"MPOL_LOCAL", MPOL_LOCAL},
    {"MPOL_PREFERRED", MPOL_PREFERRED},
    {"MPOL_PREFERRED_MANY", MPOL_PREFERRED_MANY},
    {"MPOL_WEIGHTED_INTERLEAVE", kMpolWeightedInterleave},
}};

/// linux.memoryPolicy.flags to MPOL_F_*, which are or-ed to the mode.
inline constexpr std::array<Named<int>, 3> kMemoryPolicyFlags = {{
    {"MPOL_F_NUMA_BALANCING", MPOL_F_NUMA_BALANCING},
    {"MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES},
    {"MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES},
}};

}  // namespace berth::plan
