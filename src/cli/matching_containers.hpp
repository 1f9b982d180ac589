// One command for many containers: `kill --regex` and `delete --regex`.
#pragma once

#include <berth/base/error.hpp>

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace berth::cli {

/// Those of `ids` that the POSIX extended regular expression (regex(7)) matches anywhere, unless it says where with ^
/// and $, as in crun.
Result<std::vector<std::string>> matching_ids(const std::string& expression, std::vector<std::string> ids);

/// Acts on each, whatever becomes of the others. The failures are one error, of the kind of the first; that a container
/// does not exist any more is none.
Status act_on_each(std::span<const std::string> ids, const std::function<Status(const std::string& id)>& act);

}  // namespace berth::cli
