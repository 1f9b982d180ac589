#include "cli/request.hpp"

#include <berth/spec/state.hpp>
#include <berth/sys/file.hpp>

#include <fcntl.h>
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

// Whether root is one of a user namespace that somebody else made for himself, as in runc: $USER says so.
bool is_root_by_mapping() {
  constexpr std::size_t kMaxMap = 4096;
  const char* user = std::getenv("USER");
  if (user == nullptr || *user == '\0' || std::string_view(user) == "root") {
    return false;
  }
  const auto map = sys::read_file(AT_FDCWD, "/proc/self/uid_map", kMaxMap);
  return map && map->find("4294967295") == std::string::npos;
}

std::string default_root() {
  const char* runtime_directory = std::getenv("XDG_RUNTIME_DIR");
  if (runtime_directory != nullptr && *runtime_directory != '\0' && (::geteuid() != 0 || is_root_by_mapping())) {
    return std::string(runtime_directory) + "/berth";
  }
  return "/run/berth";
}

// What the options write before they are understood together.
struct Parsed {
  explicit Parsed(Request& meant) : request(meant) {}
  Request& request;
  std::string log_level;
  std::string log_format = "text";
  std::string manager = "cgroupfs";
  std::string rootless = "auto";
  std::string interval = "5s";
  bool debug = false;
  bool systemd_cgroup = false;
  std::string criu;
  bool no_subreaper = false;
  unsigned preserve_fds = 0;
  std::vector<std::string> after_id;  ///< of a command that runs another program: its arguments
};

void add_global_options(CLI::App& app, Parsed& parsed) {
  // Those of the log first: they are known then when one of the others is wrong.
  app.add_option("--log", parsed.request.log.target, "where log records go")
      ->type_name("[file:]PATH|journald:NAME|syslog:NAME");
  app.add_option("--log-format", parsed.log_format, "form of the log records")->check(CLI::IsMember({"text", "json"}));
  app.add_option("--log-level", parsed.log_level, "least important level to log")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
  app.add_flag("--debug", parsed.debug, "the same as --log-level debug");
  app.add_option("--root", parsed.request.root, "directory of the containers' state")->type_name("DIR");
  app.add_flag("--systemd-cgroup", parsed.systemd_cgroup, "the same as --cgroup-manager systemd");
  app.add_option("--cgroup-manager", parsed.manager, "who makes the container's cgroup")
      ->check(CLI::IsMember({"cgroupfs", "systemd", "disabled"}));
  app.add_option("--rootless", parsed.rootless, "run without privilege outside a user namespace")
      ->check(CLI::IsMember({"true", "false", "auto"}));
  app.add_option("--criu", parsed.criu, "accepted for callers of older runtimes; ignored")->group("");
  app.set_version_flag("-v,-V,--version", version_text(), "print the version, and that of the specification");
}

void add_id(CLI::App& command, Parsed& parsed) {
  command.add_option("ID", parsed.request.run.create.id, "the container's id")->required();
}

void add_trace(CLI::App& command, Parsed& parsed) {
  command.add_option("--trace", parsed.request.trace_file, "write where the time goes, in the Chrome trace format")
      ->type_name("FILE");
}

void add_regex(CLI::App& command, Parsed& parsed) {
  command.add_flag("-r,--regex", parsed.request.regex,
                   "ID is an extended regular expression, for all containers whose id it matches");
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
  return command.add_option(names, values, description)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
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
       add_regex(command, parsed);
       add_id(command, parsed);
       command.add_option("SIGNAL", parsed.request.signal, "name or number (SIGTERM)");
     }},
    {Command::kDelete, "delete", "delete a container that has stopped",
     [](CLI::App& command, Parsed& parsed) {
       command.add_flag("-f,--force", parsed.request.force, "kill it first, whatever its state");
       add_regex(command, parsed);
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
    {Command::kMounts, "mounts", "add mounts to a container that runs, or remove them",
     [](CLI::App& command, Parsed& parsed) {
       command.add_option("ACTION", parsed.request.mounts_action, "what to do")
           ->required()
           ->check(CLI::IsMember({"add", "remove"}));
       add_id(command, parsed);
       command
           .add_option("FILE", parsed.request.mounts_document,
                       "JSON array of mounts, as /mounts of a configuration has them (- for stdin)")
           ->required();
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
       command.add_option("-f,--file", parsed.request.spec_file, "file to write, in DIR or absolute (- for stdout)")
           ->type_name("FILE");
       command.add_flag("--rootless", parsed.request.run.create.rootless, "for a user without privilege");
     }},
    {Command::kFeatures, "features", "print what this program can do as JSON", [](CLI::App&, Parsed&) {}},
});

// Whether the value of the option `argument` is the next argument. Gives a long option its second dash: Go's flag
// package, which runc's callers are used to, takes a single one too.
bool read_option(const CLI::App& app, std::string& argument) {
  const std::size_t equals = argument.find('=');
  const std::string name = argument.substr(0, equals);
  const CLI::Option* option = app.get_option_no_throw(name);
  if (const auto* long_option = app.get_option_no_throw("-" + name); name.size() > 2 && long_option != nullptr) {
    option = long_option;
    argument.insert(0, "-");
  }
  return option != nullptr && option->get_items_expected_min() > 0 && equals == std::string::npos;
}

enum class Take : std::uint8_t { kOptions, kAll };

// Takes the arguments of `app` off the front of `rest`, in the form that CLI11 takes: its options, and with kAll what
// stands between and behind them. What follows the id of some commands is for another program, whatever it looks like.
std::vector<std::string> take_arguments(const CLI::App& app, Take what, std::span<char* const>& rest) {
  std::vector<std::string> taken;
  bool next_is_value = false;
  bool options_are_over = false;
  bool done = false;
  while (!done && !rest.empty()) {
    std::string argument = rest.front();
    const bool is_value = std::exchange(next_is_value, false);
    const bool is_option = !is_value && !options_are_over && argument.size() > 1 && argument.starts_with('-');
    if (is_option) {
      options_are_over = argument == "--";
      next_is_value = read_option(app, argument);
    } else if (!is_value) {
      done = what == Take::kOptions || app.get_prefix_command();
    }
    if (!done || what == Take::kAll) {
      taken.push_back(std::move(argument));
      rest = rest.subspan(1);
    }
  }
  std::ranges::reverse(taken);
  return taken;
}

enum class Outcome : std::uint8_t { kParsed, kHelp, kAnswered };

std::unexpected<Error> usage_error(std::string text) {
  Error error(ErrorKind::kUsage, std::move(text));
  return std::unexpected(std::move(error.add_hint("see berth --help")));
}

Result<Outcome> parse(CLI::App& app, Take what, std::span<char* const>& rest, Request& request) {
  try {
    app.parse(take_arguments(app, what, rest));
  } catch (const CLI::CallForVersion& version) {
    request.answer = fmt::format("{}\n", version.what());
    return Outcome::kAnswered;
  } catch (const CLI::CallForHelp&) {
    return Outcome::kHelp;
  } catch (const CLI::ParseError& error) {
    return usage_error(error.what());
  }
  return Outcome::kParsed;
}

// What engines give twice, the caller's own arguments and theirs: the last one counts, as in runc and crun.
void set_conventions(CLI::App& app) {
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.set_help_flag("-h,-?,--help,--usage", "print this summary");
}

void read_log_options(Parsed& parsed) {
  static const std::map<std::string_view, log::Level> levels = {{"debug", log::Level::kDebug},
                                                                {"info", log::Level::kInfo},
                                                                {"warning", log::Level::kWarning},
                                                                {"error", log::Level::kError}};
  LogOptions& options = parsed.request.log;
  if (const auto level = levels.find(parsed.log_level); level != levels.end()) {
    options.level = level->second;
  }
  if (parsed.debug) {
    options.level = log::Level::kDebug;
  }
  options.format = parsed.log_format == "json" ? log::Format::kJson : log::Format::kText;
}

Status finish_root(std::string& root) {
  if (root.empty()) {
    root = default_root();
  }
  if (!root.starts_with('/')) {
    root = fmt::format("{}/{}", TRY(sys::read_link(AT_FDCWD, "/proc/self/cwd")), root);
  }
  while (root.ends_with('/')) {
    root.pop_back();
  }
  if (root.empty()) {
    return fail(ErrorKind::kUsage, "--root must not be /");
  }
  return {};
}

Status finish(Parsed& parsed) {
  Request& request = parsed.request;
  request.run.create.cgroup_manager = TRY(cgroup::parse_manager(parsed.systemd_cgroup ? "systemd" : parsed.manager));
  request.interval = TRY_CONTEXT(parse_duration(parsed.interval), "--interval");
  if (request.command != Command::kSpec) {
    request.run.create.rootless = parsed.rootless == "true" || (parsed.rootless == "auto" && ::geteuid() != 0);
  }
  request.run.create.passed = launch::passed_descriptors(parsed.preserve_fds);
  request.exec.id = request.id();
  request.exec.rootless = request.run.create.rootless;
  request.exec.passed = request.run.create.passed;
  request.ps_arguments = parsed.after_id;
  request.exec.flags.args = std::move(parsed.after_id);
  return finish_root(request.root);
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

Status parse_arguments(int argc, char** argv, Request& request) {
  Parsed parsed(request);
  std::span<char* const> rest(argv + 1, static_cast<std::size_t>(std::max(argc - 1, 0)));
  CLI::App app("berth runs containers: bundles of the OCI runtime specification.", "berth");
  set_conventions(app);
  add_global_options(app, parsed);
  const auto global = parse(app, Take::kOptions, rest, request);
  read_log_options(parsed);
  Outcome outcome = TRY(global);
  if (outcome == Outcome::kAnswered) {
    return {};
  }
  if (!rest.empty() && (rest.front() == std::string_view("help") || rest.front() == std::string_view("h"))) {
    outcome = Outcome::kHelp;
    rest = rest.subspan(1);
  }
  if (rest.empty()) {
    app.require_subcommand(1);
    for (const CommandEntry& entry : kCommands) {
      app.add_subcommand(entry.name, entry.description);
    }
    request.answer = app.help();
    return outcome == Outcome::kHelp ? Status() : usage_error("expected a command");
  }
  // Only the command that the arguments name is made known to CLI11: to make all of them takes longer than a query.
  const auto* const entry = std::ranges::find(kCommands, std::string_view(rest.front()), &CommandEntry::name);
  if (entry == kCommands.end()) {
    return usage_error(fmt::format("\"{}\" is no command", one_line(rest.front())));
  }
  rest = rest.subspan(1);
  CLI::App command(entry->description, fmt::format("berth {}", entry->name));
  set_conventions(command);
  entry->add_options(command, parsed);
  if (outcome != Outcome::kHelp) {
    outcome = TRY(parse(command, Take::kAll, rest, request));
  }
  if (outcome == Outcome::kHelp) {
    request.answer = command.help();
    return {};
  }
  request.command = entry->command;
  parsed.after_id.assign(rest.begin(), rest.end());
  return finish(parsed);
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
