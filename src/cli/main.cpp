// berth: argv to a request, the request to a verb, and the one error line.

#include <berth/base/error.hpp>
#include <berth/base/log.hpp>
#include <berth/base/trace.hpp>
#include <berth/container/create.hpp>
#include <berth/container/events.hpp>
#include <berth/container/exec.hpp>
#include <berth/container/lifecycle.hpp>
#include <berth/container/mounts.hpp>
#include <berth/plan/features.hpp>
#include <berth/plan/lower.hpp>
#include <berth/spec/default_config.hpp>
#include <berth/spec/features.hpp>
#include <berth/spec/parse.hpp>
#include <berth/sys/file.hpp>
#include <berth/sys/memory.hpp>
#include <berth/sys/signal.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <exception>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cli/document.hpp"
#include "cli/log_target.hpp"
#include "cli/matching_containers.hpp"
#include "cli/output.hpp"
#include "cli/request.hpp"
#include "cli/version.hpp"

namespace berth::cli {
namespace {

constexpr int kFailure = 1;
// As runc: a status that programs rarely have.
constexpr int kExecFailure = 255;

// What --trace names, or nothing; not below `first_free`.
Result<sys::UniqueFd> open_trace(const std::string& path, int first_free) {
  if (path.empty()) {
    return sys::UniqueFd();
  }
  sys::UniqueFd file =
      TRY_CONTEXT(sys::open_at(AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_TRUNC, 0644), "--trace");
  if (file.get() < first_free) {
    file = TRY_CONTEXT(sys::duplicate(file.get(), first_free), "--trace");
  }
  trace::start(file.get());
  return file;
}

Status write_default_config(const Request& request) {
  std::optional<spec::RootlessOwner> owner;
  if (request.run.create.rootless) {
    owner = spec::RootlessOwner{.uid = ::geteuid(), .gid = ::getegid()};
  }
  const std::string config = spec::default_config_json(owner);
  if (request.spec_file == "-") {
    return print(config);
  }
  const std::string path =
      request.spec_file.starts_with('/') ? request.spec_file : request.run.create.bundle + "/" + request.spec_file;
  const sys::UniqueFd file = TRY(sys::open_at(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0644));
  return sys::write_all(file.get(), config, path);
}

Status print_list(const container::StateStore& store, const Request& request) {
  if (request.quiet) {
    std::string ids;
    for (const std::string& id : TRY(store.ids())) {
      ids += id + "\n";
    }
    return print(ids);
  }
  const auto states = TRY(container::list(store));
  return print(request.format == "json" ? spec::state_list_json(states, spec::Layout::kCompact) + "\n"
                                        : list_table(states));
}

Status print_processes(const container::StateStore& store, const Request& request) {
  const auto pids = TRY(container::processes(store, request.id()));
  if (request.format == "json") {
    return print(pid_array(pids));
  }
  const std::string table = TRY(process_table(pids, request.ps_arguments));
  return print(table);
}

Status print_state(const container::StateStore& store, const Request& request) {
  const spec::State state = TRY(container::state(store, request.id()));
  return print(spec::state_json(state, spec::Layout::kIndented) + "\n");
}

// On the container that the request names or, with --regex, on all whose id matches.
Status act_on_named(const container::StateStore& store, const Request& request,
                    const std::function<Status(const std::string& id)>& act) {
  if (!request.regex) {
    return act(request.id());
  }
  const std::vector<std::string> ids = TRY(store.ids());
  return act_on_each(TRY(matching_ids(request.id(), ids)), act);
}

Status send_signal(const container::StateStore& store, const Request& request) {
  const int signal = TRY(parse_signal(request.signal));
  return act_on_named(store, request,
                      [&](const std::string& id) { return container::kill(store, id, signal, request.all); });
}

Status remove(const container::StateStore& store, const Request& request) {
  return act_on_named(store, request,
                      [&](const std::string& id) { return container::remove(store, id, request.force); });
}

Status update_limits(const container::StateStore& store, const Request& request) {
  const UpdateDocument asked = TRY(read_update(request.update));
  const plan::Update update = TRY(plan::lower_update(asked.resources, asked.intel_rdt, asked.oci_version));
  return container::update(store, request.id(), update);
}

Status change_mounts(const container::StateStore& store, const Request& request) {
  const std::string text = TRY(read_document(request.mounts_document));
  auto mounts = TRY_CONTEXT(spec::parse_mounts(text), "{}",
                            request.mounts_document == "-" ? "stdin" : one_line(request.mounts_document));
  return request.mounts_action == "add" ? container::add_mounts(store, request.id(), std::move(mounts))
                                        : container::remove_mounts(store, request.id(), std::move(mounts));
}

Status print_features() {
  spec::Features features = plan::features();
  features.annotations = build_annotations();
  return print(spec::features_json(features) + "\n");
}

Status print_events(const container::StateStore& store, const Request& request) {
  const auto print_line = [](const std::string& event) { return print(event + "\n"); };
  return request.stats ? container::print_statistics(store, request.id(), print_line)
                       : container::watch(store, request.id(), request.interval, print_line);
}

Result<int> perform(const Request& request) {
  const container::StateStore store(request.root);
  switch (request.command) {
    case Command::kNone:
      TRY(print(request.answer));
      break;
    case Command::kCreate:
      TRY(container::create(store, request.run.create));
      break;
    case Command::kStart:
      TRY(container::start(store, request.id()));
      break;
    case Command::kRun:
      return container::run(store, request.run);
    case Command::kState:
      TRY(print_state(store, request));
      break;
    case Command::kKill:
      TRY(send_signal(store, request));
      break;
    case Command::kDelete:
      TRY(remove(store, request));
      break;
    case Command::kExec:
      return container::exec(store, request.exec);
    case Command::kList:
      TRY(print_list(store, request));
      break;
    case Command::kPs:
      TRY(print_processes(store, request));
      break;
    case Command::kPause:
      TRY(container::pause(store, request.id()));
      break;
    case Command::kResume:
      TRY(container::resume(store, request.id()));
      break;
    case Command::kUpdate:
      TRY(update_limits(store, request));
      break;
    case Command::kMounts:
      TRY(change_mounts(store, request));
      break;
    case Command::kEvents:
      TRY(print_events(store, request));
      break;
    case Command::kSpec:
      TRY(write_default_config(request));
      break;
    case Command::kFeatures:
      TRY(print_features());
      break;
  }
  return 0;
}

// The one line for people, and the same as the one record that engines read. Gives the exit status.
int report(const Error& error, Command command = Command::kNone) {
  const std::string message = error.message();
  const std::string line = "berth: " + message + "\n";
  static_cast<void>(sys::write_all(STDERR_FILENO, line, "stderr"));
  if (log::fd() >= 0) {
    log::write(log::Level::kError, message);
  }
  return command == Command::kExec ? kExecFailure : kFailure;
}

// What a start takes of it.
constexpr std::size_t kUsualHeap = std::size_t{192} * 1024;

int run_command_line(int argc, char** argv) {
  sys::populate_heap(kUsualHeap);
  if (auto opened = sys::occupy_standard_descriptors(); !opened) {
    return report(opened.error());
  }
  if (auto adopted = sys::adopt_signals(); !adopted) {
    return report(adopted.error());
  }
  Request request;
  const auto parsed = parse_arguments(argc, argv, request);
  // Above the descriptors that --preserve-fds hands to the container, should the caller have left one of them closed.
  const auto first_free = static_cast<int>(request.run.create.passed.end());
  const auto log = open_log(request.log, request.regex ? std::string() : request.id(), first_free);
  if (!parsed) {
    return report(parsed.error());
  }
  if (!log) {
    return report(log.error(), request.command);
  }
  const auto trace_file = open_trace(request.trace_file, first_free);
  if (!trace_file) {
    return report(trace_file.error(), request.command);
  }
  request.run.create.argv = argv;
  request.exec.argv = argv;
  auto status = perform(request);
  trace::finish();
  if (!status) {
    Error error = std::move(status).error();
    if (!request.id().empty()) {
      error.add_context(fmt::format("{} \"{}\"", command_name(request.command), one_line(request.id())));
    }
    return report(error, request.command);
  }
  return *status;
}

}  // namespace
}  // namespace berth::cli

int main(int argc, char** argv) {
  // Nothing in berth throws; what the libraries throw where memory ends must still be one line and a status.
  try {
    return berth::cli::run_command_line(argc, argv);
  } catch (const std::exception& error) {
    return berth::cli::report(berth::Error(berth::ErrorKind::kInternal, error.what()));
  }
}
