#pragma once

#include <berth/base/error.hpp>
#include <berth/container/state_store.hpp>
#include <berth/spec/record.hpp>

#include <optional>

namespace berth::container {

/// Runs hooks whose failure the specification wants logged, and nothing more: poststart and poststop.
void run_late_hooks(const spec::Record& record, std::string_view stage);

/// Ends and removes all that the record speaks of, whatever of it exists: processes, cgroup, poststop hooks, and the
/// directory last, so that a failure or a crash can be repeated. The caller holds the lock.
Status destroy(const ContainerDirectory& directory, const std::optional<spec::Record>& record);

}  // namespace berth::container
