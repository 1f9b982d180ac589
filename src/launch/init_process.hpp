// The container's process between clone3 and exec.
#pragma once

#include <berth/base/error.hpp>
#include <berth/cgroup/cgroup.hpp>
#include <berth/channel/channel.hpp>
#include <berth/launch/supervisor.hpp>
#include <berth/ns/namespace_set.hpp>
#include <berth/ns/spawn_plan.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/rootfs/rootfs.hpp>

#include <vector>

#include "launch/container_process.hpp"

namespace berth::launch {

/// What the supervisor prepares before the clone; the process inherits it with the memory.
struct InitContext {
  const plan::ContainerPlan& plan;
  const LaunchOptions& options;
  const ns::SpawnPlan& spawn;
  const ns::NamespaceSet& namespaces;
  const cgroup::View& cgroup_view;
  ProcessContext process;
  std::vector<rootfs::MountSource> host_sources;  ///< of the mounts that need more rights than the child has
};

/// Runs the steps in order, reports the first failure with its step's name, and executes the program.
class InitProcess : public ContainerProcess {
 public:
  InitProcess(InitContext& context, channel::Channel channel);

  /// Never returns (see run_steps).
  [[noreturn]] void run() noexcept;

 private:
  Status enter_namespaces();
  Status open_sources();
  Status join_keyring();
  Status configure_network();
  Status mount();
  Status run_runtime_hooks();
  Status run_container_hooks();
  Status make_working_directory();
  Status open_terminal();
  Status pivot();
  Status write_sysctls();
  Status seal();
  Status close_descriptors();
  Status hand_over();
  Status await_start();
  Status run_start_hooks();

  Status await_start_connection();
  Result<bool> serve_start_connection();

  InitContext& context_;
  const plan::ContainerPlan& plan_;
  rootfs::RootfsBuilder rootfs_;
};

}  // namespace berth::launch
