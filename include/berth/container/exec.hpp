// `exec`.
#pragma once

#include <berth/base/error.hpp>
#include <berth/container/state_store.hpp>
#include <berth/launch/passed_descriptors.hpp>

#include <optional>
#include <string>
#include <vector>

namespace berth::container {

/// The flags of `exec` that change the process. Each replaces or extends what --process or else the container's
/// configuration says.
struct ProcessFlags {
  std::vector<std::string> args;
  std::string cwd;
  std::vector<std::string> env;
  std::string user;  ///< "UID", "UID:GID" or a name of the container's passwd file
  std::vector<std::uint32_t> additional_gids;
  std::vector<std::string> capabilities;
  std::string apparmor_profile;
  std::string selinux_label;
  bool terminal = false;
  bool no_new_privileges = false;
};

struct ExecRequest {
  std::string id;
  std::string process_file;
  ProcessFlags flags;
  std::vector<std::string> cgroups;  ///< --cgroup: [CONTROLLER,..:]PATH
  std::string console_socket;
  std::string pidfd_socket;
  std::string pid_file;
  bool detach = false;
  bool ignore_paused = false;
  bool rootless = false;
  launch::PassedDescriptors passed;
  char* const* argv = nullptr;  ///< of this process, for executing it anew from a sealed copy
};

/// Runs a further process in the container. Gives its status as a shell does (128+n for signal n), 0 when detached. The
/// pid file is written when the process has executed its program, and only then.
Result<int> exec(const StateStore& store, const ExecRequest& request);

}  // namespace berth::container
