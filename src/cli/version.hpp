#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace berth::cli {

/// The lines of --version: "berth version X", "commit: ...", "spec: ...", and the libraries, as engines parse them.
[[nodiscard]] std::string version_text();

/// The annotations of the features document: libseccomp's version by the name that runc and crun give it, and berth's
/// own.
[[nodiscard]] std::vector<std::pair<std::string_view, std::string>> build_annotations();

}  // namespace berth::cli
