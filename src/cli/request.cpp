#include "cli/request.hpp"

#include <berth/spec/state.hpp>

#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <functional>
#include <map>
#include <span>
#include <string_view>
#include <utility>

#include "cli/amounts.hpp"
#include "cli/version.hpp"

namespace berth::cli {
namespace {

std::string default_root() {
  const char* runtime_directory = std::getenv("XDG_RUNTIME_DIR");
  if (::geteuid() != 0 && runtime_directory != nullptr && *runtime_directory != '\0') {
    return std::string(runtime_directory) + "/berth";
  }
  return "/run/berth";
}

// What the options write before they are understood together.
struct Parsed {
  Request request;
  std::string log_level;
  std::string log_format = "text";
  std::string manager = "cgroupfs";
  std::string rootless = "auto";
  std::string interval = "5s";
  bool debug = false;
  bool systemd_cgroup = false;
  bool no_subreaper = false;
  unsigned preserve_fds = 0;
  std::vector<std::string> after_id;  ///< of a command that runs another program: its arguments
};

void add_global_options(CLI::App& app, Parsed& parsed) {
  app.add_option("--root", parsed.request.root, "directory of the containers' state")->type_name("DIR");
  app.add_option("--log", parsed.request.log_file, "append log records to this file")->type_name("FILE");
  app.add_option("--log-format", parsed.log_format, "form of the log records")->check(CLI::IsMember({"text", "json"}));
  app.add_option("--log-level", parsed.log_level, "least important level to log")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
  app.add_flag("--debug", parsed.debug, "the same as --log-level debug");
  app.add_flag("--systemd-cgroup", parsed.systemd_cgroup, "the same as --cgroup-manager systemd");
  app.add_option("--cgroup-manager", parsed.manager, "who makes the container's cgroup")
      ->check(CLI::IsMember({"cgroupfs", "systemd", "disabled"}));
  app.add_option("--rootless", parsed.rootless, "run without privilege outside a user namespace")
      ->check(CLI::IsMember({"true", "false", "auto"}));
  app.set_version_flag("-v,--version", version_text());
}

void add_id(CLI::App& command, Parsed& parsed) {
  command.add_option("ID", parsed.request.run.create.id, "the container's id")->required();
}

void add_trace(CLI::App& command, Parsed& parsed) {
  command.add_option("--trace", parsed.request.trace_file, "write where the time goes, in the Chrome trace format")
      ->type_name("FILE");
}

void add_preserve_fds(CLI::App& command, Parsed& parsed) {
  command.add_option("--preserve-fds", parsed.preserve_fds, "pass this many descriptors after 2 on")
      ->type_name("N")
      ->check(CLI::Range(0U, 1U << 20U));
}

void add_create_options(CLI::App& command, Parsed& parsed) {
  container::CreateRequest& create = parsed.request.run.create;
  command.add_option("-b,--bundle", create.bundle, "directory of config.json and the root file system")
      ->type_name("DIR");
  command.add_option("--console-socket", create.console_socket, "socket that receives the terminal")->type_name("PATH");
  command.add_option("--pid-file", create.pid_file, "file to write the container's pid to")->type_name("FILE");
  command.add_flag("--no-pivot", create.no_pivot, "move the root instead of pivoting (for a ramdisk)");
  command.add_flag("--no-new-keyring", create.no_new_keyring, "keep the caller's session keyring");
  command.add_option("--pidfd-socket", create.pidfd_socket, "socket that receives a descriptor of the process")
      ->type_name("PATH");
  command.add_option("-f,--config", create.config_file, "file to read in place of config.json")->type_name("FILE");
  command.add_flag("--no-subreaper", parsed.no_subreaper, "accepted for callers of others; nothing is reaped for them");
  add_preserve_fds(command, parsed);
  add_trace(command, parsed);
  add_id(command, parsed);
}

// Each use takes one value: what follows it may be the id.
template <class Value>
CLI::Option* add_repeated(CLI::App& command, const std::string& names, Value& values, const std::string& description) {
  return command.add_option(names, values, description)->allow_extra_args(false);
}

void add_exec_options(CLI::App& command, Parsed& parsed) {
  container::ExecRequest& exec = parsed.request.exec;
  container::ProcessFlags& flags = exec.flags;
  command.add_option("-p,--process", exec.process_file, "JSON file of the process, as `process` of config.json")
      ->type_name("FILE");
  command.add_option("--cwd", flags.cwd, "working directory")->type_name("DIR");
  add_repeated(command, "-e,--env", flags.env, "set a variable of the environment")->type_name("NAME=VALUE");
  command.add_option("-u,--user", flags.user, "user of the process")->type_name("UID[:GID]|NAME");
  add_repeated(command, "-g,--additional-gids", flags.additional_gids, "supplementary groups")
      ->type_name("GID")
      ->delimiter(',');
  add_repeated(command, "-c,--cap", flags.capabilities, "add a capability")->type_name("CAP");
  command.add_flag("-t,--tty", flags.terminal, "give the process a terminal");
  command.add_flag("--no-new-privs", flags.no_new_privileges, "the process can gain no privileges");
  command.add_option("--apparmor", flags.apparmor_profile, "AppArmor profile")->type_name("PROFILE");
  command.add_option("--process-label", flags.selinux_label, "SELinux label")->type_name("LABEL");
  add_repeated(command, "--cgroup", exec.cgroups, "cgroup below the container's")->type_name("[CONTROLLER,..:]PATH");
  command.add_option("--console-socket", exec.console_socket, "socket that receives the terminal")->type_name("PATH");
  command.add_option("--pidfd-socket", exec.pidfd_socket, "socket that receives a descriptor of the process")
      ->type_name("PATH");
  command.add_option("--pid-file", exec.pid_file, "file to write the process's pid to")->type_name("FILE");
  command.add_flag("-d,--detach", exec.detach, "do not wait for the process");
  command.add_flag("--ignore-paused", exec.ignore_paused, "in a paused container the process waits for resume");
  command.add_flag("--no-subreaper", parsed.no_subreaper, "accepted for callers of others");
  add_preserve_fds(command, parsed);
  add_trace(command, parsed);
  add_id(command, parsed);
  // What follows the id is the program, whatever it looks like.
  command.prefix_command();
  command.footer("What follows the id is the program with its arguments, unless --process has them.");
  command.callback([&parsed, &flags] { flags.args = std::move(parsed.after_id); });
}

void add_format(CLI::App& command, Parsed& parsed) {
  command.add_option("-f,--format", parsed.request.format, "form of the output")
      ->check(CLI::IsMember({"table", "json"}));
}

struct CommandEntry {
  Command command;
  const char* name;
  const char* description;
  void (*add_options)(CLI::App& command, Parsed& parsed);
};

constexpr auto kCommands = std::to_array<CommandEntry>({
    {Command::kCreate, "create", "make a container that waits for start", add_create_options},
    {Command::kStart, "start", "execute the program of a created container", add_id},
    {Command::kRun, "run", "create and start a container, and wait for its end",
     [](CLI::App& command, Parsed& parsed) {
       command.add_flag("-d,--detach", parsed.request.run.detach, "do not wait for the container");
       command.add_flag("--keep", parsed.request.run.keep, "do not delete the container when it has ended");
       add_create_options(command, parsed);
     }},
    {Command::kState, "state", "print the state of a container as JSON", add_id},
    {Command::kKill, "kill", "send a signal to a container",
     [](CLI::App& command, Parsed& parsed) {
       command.add_flag("-a,--all", parsed.request.all, "to all processes of the container");
       add_id(command, parsed);
       command.add_option("SIGNAL", parsed.request.signal, "name or number (SIGTERM)");
     }},
    {Command::kDelete, "delete", "delete a container that has stopped",
     [](CLI::App& command, Parsed& parsed) {
       command.add_flag("-f,--force", parsed.request.force, "kill it first, whatever its state");
       add_id(command, parsed);
     }},
    {Command::kExec, "exec", "run a further process in a container", add_exec_options},
    {Command::kList, "list", "list the containers",
     [](CLI::App& command, Parsed& parsed) {
       add_format(command, parsed);
       command.add_flag("-q,--quiet", parsed.request.quiet, "ids only");
     }},
    {Command::kPs, "ps", "show the processes of a container",
     [](CLI::App& command, Parsed& parsed) {
       add_format(command, parsed);
       add_id(command, parsed);
       // What follows the id belongs to ps(1), whatever it looks like: a positional option would take its share only.
       command.prefix_command();
       command.footer("What follows the id are options for ps(1); -ef without any.");
       command.callback([&parsed] { parsed.request.ps_arguments = std::move(parsed.after_id); });
     }},
    {Command::kPause, "pause", "freeze all processes of a container", add_id},
    {Command::kResume, "resume", "let a paused container go on", add_id},
    {Command::kUpdate, "update", "change the limits of a container",
     [](CLI::App& command, Parsed& parsed) {
       UpdateOptions& update = parsed.request.update;
       command
           .add_option(
               "-r,--resources", update.document,
               "JSON file with the new limits, as /linux/resources has them (- for stdin); options for the same "
               "are ignored then")
           ->type_name("FILE");
       for (std::size_t index = 0; index < kLimitOptionCount; ++index) {
         const LimitOption& option = kLimitOptions.at(index);
         CLI::Option* added = command.add_option(option.name, update.limits.at(index), option.description);
         if (option.hidden) {
           added->group("");
         }
       }
       add_id(command, parsed);
     }},
    {Command::kEvents, "events", "print what a container uses, and when it is short of memory",
     [](CLI::App& command, Parsed& parsed) {
       command.add_option("--interval", parsed.interval, "time from one line of statistics to the next")
           ->type_name("DURATION");
       command.add_flag("--stats", parsed.request.stats, "print the statistics of this moment once");
       add_id(command, parsed);
     }},
    {Command::kSpec, "spec", "write a new config.json",
     [](CLI::App& command, Parsed& parsed) {
       command.add_option("-b,--bundle", parsed.request.run.create.bundle, "directory to write it to")
           ->type_name("DIR");
       command.add_flag("--rootless", parsed.request.run.create.rootless, "for a user without privilege");
     }},
    {Command::kFeatures, "features", "print what this program can do as JSON", [](CLI::App&, Parsed&) {}},
});

CLI::App* add_command(CLI::App& app, const CommandEntry& entry, Parsed& parsed) {
  CLI::App* command = app.add_subcommand(entry.name, entry.description);
  command->parse_complete_callback([&parsed, kind = entry.command] { parsed.request.command = kind; });
  return command;
}

// The arguments as CLI11 takes them. Go's flag package, which runc's callers are used to, takes every long option with
// a single dash too; and what follows the id of some commands is for another program, whatever it looks like.
//
// Only the command that the arguments name is made known to `app`: to make all of them takes longer than a query.
std::vector<std::string> prepare(CLI::App& app, std::span<char* const> arguments, Parsed& parsed) {
  std::vector<std::string> rewritten;
  CLI::App* command = &app;
  bool is_value = false;
  for (std::size_t index = 0; index < arguments.size(); ++index) {
    std::string argument = arguments[index];
    if (std::exchange(is_value, false)) {
      // whatever it looks like
    } else if (argument.size() > 1 && argument.starts_with('-')) {
      const std::size_t equals = argument.find('=');
      const std::string name = argument.substr(0, equals);
      const CLI::Option* option = command->get_option_no_throw(name);
      if (const auto* long_option = command->get_option_no_throw("-" + name);
          name.size() > 2 && long_option != nullptr) {
        option = long_option;
        argument.insert(0, "-");
      }
      is_value = option != nullptr && option->get_items_expected_min() > 0 && equals == std::string::npos;
    } else if (command == &app) {
      if (const auto* entry = std::ranges::find(kCommands, argument, &CommandEntry::name); entry != kCommands.end()) {
        command = add_command(app, *entry, parsed);
        entry->add_options(*command, parsed);
      } else {
        throw CLI::ParseError(fmt::format("\"{}\" is no command", one_line(argument)), CLI::ExitCodes::ExtrasError);
      }
    } else if (command->get_prefix_command()) {
      const std::size_t rest = index + 1;
      parsed.after_id.assign(arguments.begin() + static_cast<std::ptrdiff_t>(rest), arguments.end());
      arguments = arguments.first(rest);
    }
    rewritten.push_back(std::move(argument));
  }
  if (command == &app) {  // for help, or for the error
    for (const CommandEntry& entry : kCommands) {
      add_command(app, entry, parsed);
    }
  }
  std::ranges::reverse(rewritten);  // the form that CLI11 takes
  return rewritten;
}

Status finish(Parsed& parsed) {
  Request& request = parsed.request;
  static const std::map<std::string_view, log::Level> levels = {{"debug", log::Level::kDebug},
                                                                {"info", log::Level::kInfo},
                                                                {"warning", log::Level::kWarning},
                                                                {"error", log::Level::kError}};
  if (const auto level = levels.find(parsed.log_level); level != levels.end()) {
    request.log_level = level->second;
  }
  if (parsed.debug) {
    request.log_level = log::Level::kDebug;
  }
  request.log_format = parsed.log_format == "json" ? log::Format::kJson : log::Format::kText;
  request.run.create.cgroup_manager = TRY(cgroup::parse_manager(parsed.systemd_cgroup ? "systemd" : parsed.manager));
  request.interval = TRY_CONTEXT(parse_duration(parsed.interval), "--interval");
  if (request.command != Command::kSpec) {
    request.run.create.rootless = parsed.rootless == "true" || (parsed.rootless == "auto" && ::geteuid() != 0);
  }
  request.run.create.passed = launch::passed_descriptors(parsed.preserve_fds);
  request.exec.id = request.id();
  request.exec.rootless = request.run.create.rootless;
  request.exec.passed = request.run.create.passed;
  if (request.root.empty()) {
    request.root = default_root();
  }
  if (!request.root.starts_with('/')) {
    return fail(ErrorKind::kUsage, "--root {}: expected an absolute path", request.root);
  }
  while (request.root.ends_with('/')) {
    request.root.pop_back();
  }
  if (request.root.empty()) {
    return fail(ErrorKind::kUsage, "--root must not be /");
  }
  return {};
}

}  // namespace

const char* command_name(Command command) {
  for (const CommandEntry& entry : kCommands) {
    if (entry.command == command) {
      return entry.name;
    }
  }
  return "";
}

Result<Request> parse_arguments(int argc, char** argv) {
  Parsed parsed;
  CLI::App app("berth runs containers: bundles of the OCI runtime specification.", "berth");
  try {
    add_global_options(app, parsed);
    app.require_subcommand(1);
    const std::span<char* const> arguments(argv + 1, static_cast<std::size_t>(std::max(argc - 1, 0)));
    app.parse(prepare(app, arguments, parsed));
  } catch (const CLI::CallForVersion& version) {
    parsed.request.answer = version.what();
    parsed.request.answer += '\n';
    return std::move(parsed.request);
  } catch (const CLI::CallForHelp&) {
    parsed.request.answer = app.help();  // of the command, if there is one
    return std::move(parsed.request);
  } catch (const CLI::ParseError& error) {
    Error usage(ErrorKind::kUsage, error.what());
    return std::unexpected(std::move(usage.add_hint("see berth --help")));
  }
  TRY(finish(parsed));
  return std::move(parsed.request);
}

Result<int> parse_signal(const std::string& name) {
  const auto refuse = [&] { return fail(ErrorKind::kUsage, "unknown signal \"{}\"", one_line(name)); };
  int number = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
  if (parsed.ec == std::errc() && parsed.ptr == name.data() + name.size()) {
    return number >= 0 && number <= SIGRTMAX ? Result<int>(number) : refuse();
  }
  std::string upper = name;
  std::ranges::transform(upper, upper.begin(), [](unsigned char letter) { return std::toupper(letter); });
  std::string_view wanted = upper;
  if (wanted.starts_with("SIG")) {
    wanted.remove_prefix(3);
  }
  for (int signal = 1; signal < SIGRTMIN; ++signal) {
    const char* known = ::sigabbrev_np(signal);
    if (known != nullptr && wanted == known) {
      return signal;
    }
  }
  for (const auto& [base_name, base, direction] :
       {std::tuple{"RTMIN", SIGRTMIN, 1}, std::tuple{"RTMAX", SIGRTMAX, -1}}) {
    if (!wanted.starts_with(base_name)) {
      continue;
    }
    wanted.remove_prefix(std::string_view(base_name).size());
    if (wanted.empty()) {
      return base;
    }
    int offset = 0;
    const auto rest = std::from_chars(wanted.data() + 1, wanted.data() + wanted.size(), offset);
    const int signal = base + direction * offset;
    if (wanted.front() == (direction > 0 ? '+' : '-') && rest.ec == std::errc() &&
        rest.ptr == wanted.data() + wanted.size() && signal >= SIGRTMIN && signal <= SIGRTMAX) {
      return signal;
    }
  }
  return refuse();
}

}  // namespace berth::cli
