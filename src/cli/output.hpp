// What commands print for people.
#pragma once

#include <berth/base/error.hpp>
#include <berth/spec/state.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace berth::cli {

/// Writes all of it to stdout; a closed pipe or a full disk is an error.
Status print(std::string_view text);

/// The table of `list`, columns as wide as their widest cell.
[[nodiscard]] std::string list_table(std::span<const spec::State> states);

/// `[1,2,3]` and a newline: `ps --format json`.
[[nodiscard]] std::string pid_array(std::span<const pid_t> pids);

/// Runs ps(1) of the host with these arguments and gives its header and the lines of these pids.
Result<std::string> process_table(std::span<const pid_t> pids, const std::vector<std::string>& arguments);

/// Of ps(1)'s output the header and the lines whose PID column holds one of `pids`.
Result<std::string> filter_process_table(std::string_view output, std::span<const pid_t> pids);

}  // namespace berth::cli
