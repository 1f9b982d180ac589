// The trampoline (trampoline.c) from the side of berth: its sealed file, and what it is told.
#pragma once

#include <berth/base/error.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/security/labels.hpp>
#include <berth/security/seccomp.hpp>
#include <berth/sys/unique_fd.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "launch/exec_program.hpp"

namespace berth::launch {

/// The sealed memory file that holds the trampoline and, for its step kConfines, the filter (null: none) and the
/// program's capability sets. With `filter_needs_admin` they are set after the filter is loaded, else before.
Result<sys::UniqueFd> make_trampoline(const security::FilterProgram* filter, const plan::Capabilities& capabilities,
                                      bool filter_needs_admin);

/// argv and envp in the form that execve(2) takes, made while memory may still be allocated.
class ExecVectors {
 public:
  ExecVectors(std::vector<std::string> arguments, std::span<const std::string> environment);
  [[nodiscard]] char* const* argv() const { return argv_.data(); }
  [[nodiscard]] char* const* envp() const { return envp_.data(); }

 private:
  std::vector<std::string> arguments_;
  std::vector<std::string> environment_;
  std::vector<char*> argv_;
  std::vector<char*> envp_;
};

/// What the trampoline does before it executes, and with which descriptors (-1: none).
struct TrampolineSteps {
  unsigned phases = 0;  ///< of trampoline.h: kForks to kConfines
  int channel = -1;
  int terminal = -1;
  int start_socket = -1;
  int procfs = -1;                               ///< for labels
  std::vector<security::ExecLabel> labels = {};  ///< which the phases do not name: trampoline_vectors() adds those
};

/// The vectors for executing `path` through the trampoline. `suspicion` is for the announcement of the exec.
ExecVectors trampoline_vectors(const TrampolineSteps& steps, const std::string& path, std::string_view suspicion,
                               std::span<const std::string> arguments, std::span<const std::string> environment);

/// execveat(trampoline, ""). Returns errno, and only on failure. Allocates nothing.
int exec_trampoline(int trampoline, const ExecVectors& vectors);

/// What a message TrampolineFailed says. `announcement` is what the trampoline said before it, if it did.
[[nodiscard]] Error trampoline_error(std::string_view payload, const ExecAnnouncement& announcement);

}  // namespace berth::launch
