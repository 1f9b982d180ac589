// `mounts add` and `mounts remove`.
#pragma once

#include <berth/base/error.hpp>
#include <berth/container/state_store.hpp>
#include <berth/spec/config.hpp>

#include <string>
#include <vector>

namespace berth::container {

/// Adds mounts, as /mounts of the configuration has them, to a container that is created or running: all or none.
/// Relative sources start at the bundle. Nothing remembers them: they go away with the container.
Status add_mounts(const StateStore& store, const std::string& id, std::vector<spec::Mount> mounts);

/// Takes away what is mounted at the destinations of `mounts`, whoever mounted it; nothing else of them counts.
Status remove_mounts(const StateStore& store, const std::string& id, std::vector<spec::Mount> mounts);

}  // namespace berth::container
