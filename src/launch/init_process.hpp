// The container's process between clone3 and exec.
#pragma once

#include <berth/base/error.hpp>
#include <berth/cgroup/cgroup.hpp>
#include <berth/channel/channel.hpp>
#include <berth/launch/supervisor.hpp>
#include <berth/ns/namespace_set.hpp>
#include <berth/ns/spawn_plan.hpp>
#include <berth/path/proc_dir.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/rootfs/rootfs.hpp>
#include <berth/security/seccomp.hpp>
#include <berth/sys/shared_word.hpp>
#include <berth/sys/unique_fd.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace berth::launch {

/// What the supervisor prepares before the clone; the process inherits it with the memory.
struct InitContext {
  const plan::ContainerPlan& plan;
  const LaunchOptions& options;
  const ns::SpawnPlan& spawn;
  const ns::NamespaceSet& namespaces;
  const cgroup::View& cgroup_view;
  const security::FilterProgram* filter;          ///< null without a seccomp block
  sys::UniqueFd trampoline;                       ///< invalid: execute directly, from the sealed self
  std::vector<rootfs::MountSource> host_sources;  ///< of the mounts that need more rights than the child has
};

/// Runs the steps in order, reports the first failure with its step's name, and executes the program.
class InitProcess {
 public:
  InitProcess(InitContext& context, channel::Channel channel);

  /// Never returns, and never unwinds: the supervisor's objects in this copy of its memory must not be destroyed.
  [[noreturn]] void run() noexcept;

 private:
  struct Step {
    std::string_view name;
    Status (InitProcess::*perform)();
  };
  static const std::span<const Step> kSteps;

  void perform_steps();
  Status await_proceed();
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
  Status set_attributes();
  Status own_stdio();
  Status set_labels();
  Status drop_privileges();
  Status enter_working_directory();
  Status find_program();
  Status close_descriptors();
  Status await_start();
  Status run_start_hooks();
  Status execute();

  Status reset_signals() const;
  Status confine() const;
  Status drop_admin() const;
  Status announce(std::string_view doubt, const std::optional<sys::SharedWord>& word);
  Status await_start_connection();
  Result<bool> serve_start_connection();
  [[nodiscard]] std::string home_directory() const;

  InitContext& context_;
  const plan::ContainerPlan& plan_;
  channel::Channel channel_;
  rootfs::RootfsBuilder rootfs_;
  std::optional<path::ProcDir> proc_;
  sys::UniqueFd terminal_;  ///< the master, until it was sent with Ready
  std::string program_;
  pid_t host_pid_ = 0;  ///< this process in the supervisor's pid namespace
  bool working_directory_entered_ = false;
  bool filter_needs_admin_ = false;
};

}  // namespace berth::launch
