#include "cli/version.hpp"

#include <berth/spec/state.hpp>

#include <seccomp.h>

#include <fmt/format.h>

namespace berth::cli {

namespace {

std::string seccomp_version_text() {
  const scmp_version* version = ::seccomp_version();
  return fmt::format("{}.{}.{}", version->major, version->minor, version->micro);
}

}  // namespace

std::string version_text() {
  return fmt::format("berth version {}\ncommit: {}\nspec: {}\nlibseccomp: {}", BERTH_VERSION, BERTH_COMMIT,
                     spec::kOciVersion, seccomp_version_text());
}

std::vector<std::pair<std::string_view, std::string>> build_annotations() {
  return {{"berth.commit", BERTH_COMMIT},
          {"berth.version", BERTH_VERSION},
          {"io.github.seccomp.libseccomp.version", seccomp_version_text()}};
}

}  // namespace berth::cli
