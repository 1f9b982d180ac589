// What every process that becomes a program of the container does between its clone and its exec: the first one of
// `create` and `run`, and those of `exec`. Each has its own order of steps over these.
#pragma once

#include <berth/base/error.hpp>
#include <berth/base/log.hpp>
#include <berth/base/trace.hpp>
#include <berth/channel/channel.hpp>
#include <berth/launch/supervisor.hpp>
#include <berth/path/proc_dir.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/security/labels.hpp>
#include <berth/security/seccomp.hpp>
#include <berth/sys/shared_word.hpp>
#include <berth/sys/unique_fd.hpp>

#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <exception>
#include <fmt/format.h>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "launch/trampoline.hpp"

namespace berth::launch {

/// What the supervisor prepares before the clone; the process inherits it with the memory.
struct ProcessContext {
  plan::Process process;
  const security::FilterProgram* filter = nullptr;  ///< null without a seccomp block
  sys::UniqueFd trampoline;                         ///< invalid: execute directly, from the sealed self
  PassedDescriptors passed;
  bool notifies = false;               ///< the filter has a listener, and berth itself loads it
  bool filter_needs_admin = false;     ///< CAP_SYS_ADMIN is kept until the filter is loaded
  bool trampoline_takes_over = false;  ///< as soon as nothing is left but to wait, to load the filter and to execute
  bool shares_memory = false;          ///< with the supervisor, which stands still until the trampoline takes over
  bool is_first = false;               ///< of a new pid namespace: nobody else is there who could look at it
  /// Whether the trampoline loads the filter and gives up the last capabilities.
  [[nodiscard]] bool trampoline_confines() const { return trampoline.valid() && !notifies; }
};

/// The context of a process of `process`. `filter` must outlive it.
Result<ProcessContext> make_process_context(const plan::Process& process, const security::FilterProgram* filter,
                                            const PassedDescriptors& passed);

class ContainerProcess {
 public:
  ContainerProcess(ProcessContext& context, channel::Channel channel)
      : process_(context.process), prepared_(context), channel_(std::move(channel)) {}

 protected:
  template <class Derived>
  struct Step {
    std::string_view name;
    Status (Derived::*perform)();
  };

  /// Performs the steps in order and reports the first failure with its step's name. Never returns, and never unwinds:
  /// the supervisor's objects in this copy of its memory must not be destroyed.
  template <class Derived, std::size_t kCount>
  [[noreturn]] void run_steps(const std::array<Step<Derived>, kCount>& steps) noexcept {
    try {
      for (const Step<Derived>& step : steps) {
        log::debug("step {}", step.name);
        const trace::Span span(step.name);
        if (auto done = (static_cast<Derived*>(this)->*step.perform)(); !done) {
          report(std::move(done).error(), step.name);
          break;
        }
      }
    } catch (const std::exception& error) {
      // std::bad_alloc: the configuration's own RLIMIT_AS or RLIMIT_DATA counts already.
      channel_.send_failure(Error(ErrorKind::kSystem, fmt::format("set up the container's process: {}", error.what())));
    }
    ::_exit(kStatusOfFailure);
  }

  Status await_proceed();
  Status set_attributes();
  Status own_stdio();
  /// Gives the program's exec its labels, or remembers them for the trampoline.
  Status set_labels();
  Status drop_privileges();
  Status enter_working_directory();
  Status find_program();
  /// Closes all but stdio, what is passed on, the channel and `needed` (-1 is skipped); the log with them.
  Status keep_descriptors(std::vector<int> needed);
  /// Closes all but stdio, what is passed on and what the steps that follow need; -1 in `also` is skipped.
  Status close_descriptors(std::initializer_list<int> also);
  /// Ready, with the terminal's master if there is one.
  Status say_ready();
  /// Ready, and waits for Committed.
  Status await_commit();
  Status confine() const;
  /// Announces the program and executes it.
  Status execute();
  /// What the trampoline needs for its labels, with a procfs that is not close-on-exec.
  Result<TrampolineSteps> steps_with_labels(unsigned phases) const;
  /// Executes the trampoline, which performs `phases` (of trampoline.h), announces the program and executes it. Returns
  /// only on failure.
  Status execute_through_trampoline(unsigned phases, int start_socket = -1);

  static constexpr int kStatusOfFailure = 1;

  plan::Process& process_;
  ProcessContext& prepared_;
  channel::Channel channel_;
  std::optional<path::ProcDir> proc_;        ///< of this process' pid namespace
  sys::UniqueFd terminal_;                   ///< the master, until it was sent with Ready
  std::vector<security::ExecLabel> labels_;  ///< for the trampoline
  std::string program_;
  pid_t host_pid_ = 0;  ///< this process in the supervisor's pid namespace
  bool working_directory_entered_ = false;

 private:
  /// Opens a private procfs unless there is one in proc_.
  Status need_procfs();
  Status drop_admin() const;
  Status execute_under_listener();
  void report(Error error, std::string_view step);
  /// `pid` is what $LISTEN_PID says.
  [[nodiscard]] std::vector<std::string> environment(std::string_view pid) const;
};

}  // namespace berth::launch
