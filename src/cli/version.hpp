#pragma once

#include <string>

namespace berth::cli {

/// The lines of --version: "berth version X", "commit: ...", "spec: ...", and the libraries, as engines parse them.
[[nodiscard]] std::string version_text();

}  // namespace berth::cli
