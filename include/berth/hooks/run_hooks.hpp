// Hooks of config.json: programs that the specification runs at points of the lifecycle.
#pragma once

#include <berth/base/error.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/sys/unique_fd.hpp>

#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace berth::hooks {

/// Runs in the child between clone and exec, and may replace the exec: for hooks of the container's own file system.
/// Returns only on failure.
using Exec = std::function<Error(const plan::Hook& hook)>;

struct Options {
  std::string_view stage;      ///< "createRuntime", for errors
  std::string_view state;      ///< the state document that each hook reads on stdin
  int output = -1;             ///< descriptor that gets their stdout; -1: it is kept for an error's text
  int errors = -1;             ///< the same of their stderr
  int working_directory = -1;  ///< descriptor of the bundle, which hooks start in; -1: stay
  Exec exec;                   ///< empty: execve(2) with exactly the hook's environment
  int interrupt_fd = -1;       ///< a signalfd; when it is readable the hook is killed and has failed
};

/// Opens a file of the host for what hooks write, at its end; it is made if it is missing. Invalid for an empty path.
Result<sys::UniqueFd> open_output(const std::string& path);

/// Runs the hooks in order; the first one that fails (status, signal, timeout) ends it with an error that names stage,
/// index, path, how it ended, and the end of what it wrote to stdout and stderr, which is shown only then, as runc has
/// it. A hook gets no descriptor but 0, 1 and 2, its own environment and process group, and no signal ignored or
/// blocked; one that passes its timeout is killed with every process of its group. Hooks without a timeout may take as
/// long as they want, or until `interrupt_fd` is readable.
Status run(std::span<const plan::Hook> hooks, const Options& options);

}  // namespace berth::hooks
