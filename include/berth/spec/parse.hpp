// From the bytes of config.json to the typed configuration.
#pragma once

#include <berth/base/error.hpp>
#include <berth/spec/config.hpp>

#include <string_view>
#include <vector>

namespace berth::spec {

/// Reads config.json. Broken JSON gives one error with line, column and the JSON pointer reached; otherwise every
/// property of the wrong type, out of its type's range or missing is named by its JSON pointer, all in one Error of
/// kind kConfig. A null counts as absent; unknown properties are accepted (and logged at level debug), as the
/// specification wants. What values mean is checked by plan::lower().
Result<Config> parse_config(std::string_view text);

/// Reads a document that holds what /linux/resources of a configuration does, which errors name so: the argument of
/// `update --resources`.
Result<Resources> parse_resources(std::string_view text);

/// Reads a document that holds what /process of a configuration does, which errors name so: that of `exec --process`.
Result<Process> parse_process(std::string_view text);

/// Reads a document that holds what /mounts of a configuration does, which errors name so: that of `mounts`.
Result<std::vector<Mount>> parse_mounts(std::string_view text);

}  // namespace berth::spec
