// The lines of a schemata file: RESOURCE:ID=VALUE;ID=VALUE...
#pragma once

#include <string>
#include <string_view>

namespace berth::rdt {

/// The first line of `wanted` of which `present` says something else, or nothing; empty if all of `wanted` holds.
/// Spaces, leading zeros and the case of digits do not count, nor do ids that `wanted` does not name.
[[nodiscard]] std::string first_difference(std::string_view wanted, std::string_view present);

}  // namespace berth::rdt
