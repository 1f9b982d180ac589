// Id-mapped mounts: whose mapping each gets.
#pragma once

#include <string>
#include <string_view>

#include "plan/lowering.hpp"

namespace berth::plan {

/// Whether the option is `idmap=MAPPINGS` or `ridmap=MAPPINGS`, crun's form of mappings for one mount.
[[nodiscard]] bool is_idmap_with_mappings(std::string_view option);

/// Takes the mappings of such an option: `uids=RANGES;gids=RANGES`, ranges parted by `#`, each of them
/// `FILE_SYSTEM_ID-HOST_ID-SIZE`. With a `@` before it, HOST_ID is one of the container: the container's own mapping of
/// the range that holds FILE_SYSTEM_ID is added. No mappings at all mean the container's.
void lower_idmap_option(Lowering& lowering, const std::string& pointer, std::string_view option, Mount& mount);

/// After the options: the mappings of the entry itself, or those of the container's user namespace, for a mount that is
/// to be mapped and has none yet.
void lower_idmap(Lowering& lowering, const spec::Mount& entry, Mount& mount);

}  // namespace berth::plan
