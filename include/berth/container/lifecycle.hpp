// The verbs on a container that exists. Each takes the container's lock for as long as it acts, and changes
// nothing when the container is in the wrong state for it.
#pragma once

#include <berth/base/error.hpp>
#include <berth/container/state_store.hpp>
#include <berth/plan/lower.hpp>
#include <berth/spec/state.hpp>

#include <string>
#include <vector>

namespace berth::container {

/// Lets a created container execute its program; returns when it has, with the reason when it could not.
Status start(const StateStore& store, const std::string& id);
/// Sends a signal to the container's process, or to all its processes with `all` (then also when the first
/// one has ended).
Status kill(const StateStore& store, const std::string& id, int signal, bool all);
/// Deletes a stopped container: processes that are left, cgroup, poststop hooks, state. With `force` it is killed
/// first, whatever its state, and one that does not exist is no error.
Status remove(const StateStore& store, const std::string& id, bool force);
Status pause(const StateStore& store, const std::string& id);
Status resume(const StateStore& store, const std::string& id);
/// Changes the limits that `update` has, of a container that is created, running or paused. All or nothing.
Status update(const StateStore& store, const std::string& id, const plan::Update& update);

/// What `state` prints.
Result<spec::State> state(const StateStore& store, const std::string& id);
/// The state of every container, those with a broken record left out (and logged).
Result<std::vector<spec::State>> list(const StateStore& store);
/// Pids of all processes of the container, in the caller's pid namespace.
Result<std::vector<pid_t>> processes(const StateStore& store, const std::string& id);

}  // namespace berth::container
