#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace berth::plan {

/// The numbers of a list as the kernel writes it for cpus and memory nodes, "0-3,7"; spaces are ignored. Nothing if it
/// is no such list or has a number over `maximum`.
[[nodiscard]] std::optional<std::vector<unsigned>> parse_number_list(std::string_view text, unsigned maximum);

/// What a message expects of such a list.
inline constexpr std::string_view kNumberList = "numbers and ranges as in 0-3,7";
/// More cpus and memory nodes than any kernel is built for.
inline constexpr unsigned kMaxCpu = 8191;
inline constexpr unsigned kMaxNode = 1023;

}  // namespace berth::plan
