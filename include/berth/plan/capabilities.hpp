// Names and numbers of the capabilities of linux/capability.h: the one table.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace berth::plan {

/// All names that this program knows; the index is the capability's number.
[[nodiscard]] std::span<const std::string_view> capability_names();
/// The number of "CAP_CHOWN"; nothing for a name that is not in the table.
[[nodiscard]] std::optional<unsigned> capability_number(std::string_view name);

}  // namespace berth::plan
