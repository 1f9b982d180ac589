// `create` and `run`.
#pragma once

#include <berth/base/error.hpp>
#include <berth/cgroup/cgroup.hpp>
#include <berth/container/state_store.hpp>
#include <berth/launch/passed_descriptors.hpp>

#include <string>

namespace berth::container {

struct CreateRequest {
  std::string id;
  std::string bundle = ".";
  std::string config_file = "config.json";  ///< in the bundle, or absolute
  std::string console_socket;
  std::string pidfd_socket;
  std::string pid_file;
  bool no_pivot = false;
  bool no_new_keyring = false;
  launch::PassedDescriptors passed;
  cgroup::Manager cgroup_manager = cgroup::Manager::kCgroupfs;
  bool rootless = false;
  char* const* argv = nullptr;  ///< of this process, for executing it anew from a sealed copy
};

struct RunRequest {
  CreateRequest create;
  bool detach = false;
  bool keep = false;  ///< leaves the state of a container that ended, to be deleted by hand
};

/// Makes the container up to the point where its program would be executed; it waits for start(). On failure nothing is
/// left.
Status create(const StateStore& store, const CreateRequest& request);

/// create, start and, unless detached, wait and delete in one process. Signals are forwarded. Gives the status of the
/// container's program as a shell does (128+n for signal n), 0 when detached.
Result<int> run(const StateStore& store, const RunRequest& request);

}  // namespace berth::container
