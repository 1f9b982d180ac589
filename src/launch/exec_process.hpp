// The process of `exec` between clone3 and exec.
#pragma once

#include <berth/launch/exec.hpp>

#include "launch/container_process.hpp"

namespace berth::launch {

struct ExecContext {
  const ExecOptions& options;
  const sys::Pidfd& init;
  std::uint64_t join_flags = 0;  ///< the namespaces that the process itself joins
  bool at_once = false;          ///< the process executes its program without a commit
  ProcessContext process;
};

/// Begins as a stage outside the container's pid namespace, where nobody of the container sees it, and becomes a
/// process in it only when it has nothing left of the host: no directory, no descriptor, no right, no environment.
class ExecProcess : public ContainerProcess {
 public:
  ExecProcess(ExecContext& context, channel::Channel channel)
      : ContainerProcess(context.process, std::move(channel)), context_(context) {}

  /// Never returns (see run_steps).
  [[noreturn]] void run() noexcept;

 private:
  Status open_proc();
  Status close_host_descriptors();
  Status join_namespaces();
  Status join_keyring();
  Status find_user();
  Status open_terminal();
  Status set_attributes();
  Status hand_over();
  Status enter_pid_namespace();
  Status lead_session();
  Status close_descriptors();

  ExecContext& context_;
};

}  // namespace berth::launch
