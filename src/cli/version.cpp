#include "cli/version.hpp"

#include <berth/spec/state.hpp>

#include <seccomp.h>

#include <fmt/format.h>

namespace berth::cli {

std::string version_text() {
  const scmp_version* seccomp = ::seccomp_version();
  return fmt::format("berth version {}\ncommit: {}\nspec: {}\nlibseccomp: {}.{}.{}", BERTH_VERSION, BERTH_COMMIT,
                     spec::kOciVersion, seccomp->major, seccomp->minor, seccomp->micro);
}

}  // namespace berth::cli
