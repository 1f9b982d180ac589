// The command line as data.
#pragma once

#include <berth/base/error.hpp>
#include <berth/container/create.hpp>
#include <berth/container/exec.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/log_options.hpp"
#include "cli/update_options.hpp"

namespace berth::cli {

enum class Command : std::uint8_t {
  kNone,  ///< only --help or --version, which were answered already
  kCreate,
  kStart,
  kRun,
  kState,
  kKill,
  kDelete,
  kExec,
  kList,
  kPs,
  kPause,
  kResume,
  kUpdate,
  kMounts,
  kEvents,
  kSpec,
  kFeatures,
};

struct Request {
  Command command = Command::kNone;
  std::string answer;  ///< kNone: what to print

  // Global options.
  std::string root;
  LogOptions log;

  std::string trace_file;  ///< of create, run and exec

  container::ExecRequest exec;  ///< all of it but the id
  container::RunRequest run;    ///< create and run; its `create.id` is the id of every other command too
  std::string signal = "SIGTERM";
  bool all = false;
  bool force = false;
  bool regex = false;  ///< of `kill` and `delete`: the id is an expression that many may match
  bool quiet = false;
  std::string format = "table";
  std::vector<std::string> ps_arguments;
  UpdateOptions update;
  std::string mounts_action;              ///< of `mounts`: "add" or "remove"
  std::string mounts_document;            ///< a file, "-" for stdin
  std::chrono::milliseconds interval{0};  ///< of `events`
  bool stats = false;                     ///< `events --stats`
  std::string spec_file = "config.json";  ///< of `spec`: in the bundle, or absolute

  [[nodiscard]] const std::string& id() const { return run.create.id; }
};

/// Reads argv. A mistake is an error of kind kUsage that names it; `request.log` is what the arguments before it say of
/// the log, which has the error too.
Status parse_arguments(int argc, char** argv, Request& request);

/// The number of a signal: "KILL", "SIGKILL", "9", "RTMIN+3".
Result<int> parse_signal(const std::string& name);

/// The verb of an error's context: "create".
[[nodiscard]] const char* command_name(Command command);

}  // namespace berth::cli
