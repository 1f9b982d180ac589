#pragma once

#include <berth/spec/features.hpp>

namespace berth::plan {

/// What this program accepts and does, from the same tables that lower() validates with.
[[nodiscard]] spec::Features features();

}  // namespace berth::plan
