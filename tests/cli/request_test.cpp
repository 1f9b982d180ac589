#include "cli/request.hpp"

#include <signal.h>

#include <catch2/catch.hpp>
#include <initializer_list>
#include <string>
#include <vector>

using namespace berth;
using namespace berth::cli;

namespace {

Result<Request> parse(std::initializer_list<const char*> arguments) {
  std::vector<std::string> texts = {"berth"};
  texts.insert(texts.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& text : texts) {
    argv.push_back(text.data());
  }
  argv.push_back(nullptr);
  Request request;
  auto parsed = parse_arguments(static_cast<int>(texts.size()), argv.data(), request);
  return parsed ? Result<Request>(std::move(request)) : std::unexpected(std::move(parsed).error());
}

}  // namespace

TEST_CASE("runc's command lines are understood") {
  const auto create = parse({"--root", "/r", "--log", "/l", "--log-format", "json", "create", "--bundle", "/b",
                             "--pid-file", "/p", "--no-new-keyring", "--preserve-fds", "2", "web"});
  REQUIRE(create.has_value());
  CHECK(create->command == Command::kCreate);
  CHECK(create->root == "/r");
  CHECK(create->log.target == "/l");
  CHECK(create->log.format == log::Format::kJson);
  CHECK(create->id() == "web");
  CHECK(create->run.create.bundle == "/b");
  CHECK(create->run.create.pid_file == "/p");
  CHECK(create->run.create.no_new_keyring);
  CHECK_FALSE(create->run.create.no_pivot);
  CHECK(create->run.create.passed.preserve == 2);

  const auto run = parse({"--debug", "run", "-d", "--keep", "-b=/b", "web"});
  REQUIRE(run.has_value());
  CHECK(run->run.detach);
  CHECK(run->run.keep);
  CHECK(run->log.level == log::Level::kDebug);

  const auto kill = parse({"kill", "--all", "web", "9"});
  REQUIRE(kill.has_value());
  CHECK(kill->all);
  CHECK(kill->signal == "9");
  CHECK(parse({"kill", "web"})->signal == "SIGTERM");

  const auto ps = parse({"ps", "web", "-o", "pid,cmd"});
  REQUIRE(ps.has_value());
  CHECK(ps->id() == "web");
  CHECK(ps->ps_arguments == std::vector<std::string>{"-o", "pid,cmd"});
}

TEST_CASE("a cgroup manager can be chosen in both ways") {
  CHECK(parse({"state", "x"})->run.create.cgroup_manager == cgroup::Manager::kCgroupfs);
  CHECK(parse({"--systemd-cgroup", "state", "x"})->run.create.cgroup_manager == cgroup::Manager::kSystemd);
  CHECK(parse({"--cgroup-manager", "disabled", "state", "x"})->run.create.cgroup_manager == cgroup::Manager::kDisabled);
}

TEST_CASE("mistakes on the command line are usage errors of one line") {
  for (const auto& arguments :
       std::initializer_list<std::initializer_list<const char*>>{{},
                                                                 {"nonsense"},
                                                                 {"run"},
                                                                 {"run", "--nonsense", "web"},
                                                                 {"--log-format", "xml", "list"},
                                                                 {"create", "--preserve-fds", "-1", "web"},
                                                                 {"--root", "/", "list"},
                                                                 {"--root", "//", "list"},
                                                                 {"state", "a", "b"}}) {
    const auto request = parse(arguments);
    REQUIRE_FALSE(request.has_value());
    CHECK(request.error().kind() == ErrorKind::kUsage);
    CHECK(request.error().message().find('\n') == std::string::npos);
  }
}

TEST_CASE("a command that does not exist is named") {
  CHECK(parse({"--debug", "nonsense", "web"}).error().message() == "\"nonsense\" is no command (see berth --help)");
  CHECK(parse({}).error().message() == "expected a command (see berth --help)");
}

TEST_CASE("help and version are answers") {
  CHECK(parse({"--version"})->answer.find("berth version ") == 0);
  CHECK(parse({"--version"})->answer.find("\nspec: 1.3.0\n") != std::string::npos);
  CHECK(parse({"--help"})->answer.find("create") != std::string::npos);
  CHECK(parse({"create", "--help"})->answer.find("--bundle") != std::string::npos);
}

TEST_CASE("help and version are asked for in the ways of runc and crun") {
  const std::string general = parse({"--help"})->answer;
  CHECK(general.find("Usage: berth [OPTIONS] SUBCOMMAND") != std::string::npos);
  for (const char* word : {"-h", "-?", "--usage", "-help", "help", "h"}) {
    CHECK(parse({word})->answer == general);
  }
  const std::string create = parse({"create", "--help"})->answer;
  CHECK(create.find("Usage: berth create [OPTIONS] ID") != std::string::npos);
  CHECK(parse({"create", "-?"})->answer == create);
  CHECK(parse({"help", "create"})->answer == create);
  CHECK(parse({"--help", "create"})->answer == create);
  CHECK(parse({"-V"})->answer == parse({"-v"})->answer);
  CHECK_FALSE(parse({"help", "nonsense"}).has_value());
}

TEST_CASE("of an option that is given twice the last one counts") {
  const auto list = parse(
      {"--root", "/a", "--log-format=text", "--debug", "--debug", "--log-format", "json", "--root", "/b", "list"});
  REQUIRE(list.has_value());
  CHECK(list->root == "/b");
  CHECK(list->log.format == log::Format::kJson);
  const auto exec = parse({"exec", "-u", "1", "--user", "2", "-d", "-d", "-c", "CAP_KILL", "--cap=CAP_CHOWN", "web"});
  REQUIRE(exec.has_value());
  CHECK(exec->exec.flags.user == "2");
  CHECK(exec->exec.flags.capabilities == std::vector<std::string>{"CAP_KILL", "CAP_CHOWN"});
}

TEST_CASE("flags take a value, as Go's do") {
  CHECK_FALSE(parse({"exec", "--tty=false", "web", "sh"})->exec.flags.terminal);
  CHECK(parse({"exec", "-t=true", "web", "sh"})->exec.flags.terminal);
}

TEST_CASE("a relative root starts at the working directory") {
  const std::string root = parse({"--root", "here", "list"})->root;
  CHECK(root.starts_with('/'));
  CHECK(root.ends_with("/here"));
}

TEST_CASE("the log is known when the rest of the command line is wrong") {
  for (const auto& rest : std::initializer_list<std::initializer_list<const char*>>{
           {}, {"nonsense"}, {"create"}, {"create", "--nonsense", "web"}, {"--nonsense"}, {"--root", "/", "list"}}) {
    std::vector<std::string> texts = {"berth", "--log", "/l", "--log-format=json", "--debug"};
    texts.insert(texts.end(), rest.begin(), rest.end());
    std::vector<char*> argv;
    for (std::string& text : texts) {
      argv.push_back(text.data());
    }
    Request request;
    CHECK_FALSE(parse_arguments(static_cast<int>(argv.size()), argv.data(), request).has_value());
    CHECK(request.log.target == "/l");
    CHECK(request.log.format == log::Format::kJson);
    CHECK(request.log.level == log::Level::kDebug);
  }
}

TEST_CASE("many containers are named by an expression") {
  CHECK(parse({"kill", "-r", "^web", "KILL"})->regex);
  CHECK(parse({"delete", "--regex", "--force", "^web"})->regex);
  CHECK_FALSE(parse({"delete", "web"})->regex);
}

TEST_CASE("signals have names and numbers") {
  CHECK(parse_signal("KILL").value() == SIGKILL);
  CHECK(parse_signal("SIGTERM").value() == SIGTERM);
  CHECK(parse_signal("sigusr1").value() == SIGUSR1);
  CHECK(parse_signal("9").value() == SIGKILL);
  CHECK(parse_signal("0").value() == 0);
  CHECK(parse_signal("RTMIN").value() == SIGRTMIN);
  CHECK(parse_signal("SIGRTMIN+3").value() == SIGRTMIN + 3);
  CHECK(parse_signal("RTMAX-1").value() == SIGRTMAX - 1);
  for (const char* bad : {"", "NOPE", "65", "-1", "9x", "RTMIN-1", "RTMIN+", "RTMIN+99", "SIG", "4294967305"}) {
    CHECK_FALSE(parse_signal(bad).has_value());
  }
}

TEST_CASE("what follows the id of exec is the program") {
  const auto exec =
      parse({"exec", "-t", "--env", "A=1", "-e", "B=2", "-g", "1,2", "--user", "7", "web", "ls", "-t", "--cwd"});
  REQUIRE(exec.has_value());
  CHECK(exec->command == Command::kExec);
  CHECK(exec->exec.id == "web");
  CHECK(exec->exec.flags.terminal);
  CHECK(exec->exec.flags.env == std::vector<std::string>{"A=1", "B=2"});
  CHECK(exec->exec.flags.additional_gids == std::vector<std::uint32_t>{1, 2});
  CHECK(exec->exec.flags.cwd.empty());
  CHECK(exec->exec.flags.args == std::vector<std::string>{"ls", "-t", "--cwd"});
}

TEST_CASE("long options may have a single dash") {
  const auto run = parse({"-root", "/r", "-log-format=json", "run", "-no-subreaper", "-pid-file", "-x", "-d", "web"});
  REQUIRE(run.has_value());
  CHECK(run->root == "/r");
  CHECK(run->log.format == log::Format::kJson);
  CHECK(run->run.create.pid_file == "-x");
  CHECK(run->run.detach);
  const auto exec = parse({"exec", "-detach", "-process", "/p", "web", "-pid-file"});
  REQUIRE(exec.has_value());
  CHECK(exec->exec.detach);
  CHECK(exec->exec.process_file == "/p");
  CHECK(exec->exec.flags.args == std::vector<std::string>{"-pid-file"});
  CHECK_FALSE(parse({"run", "-no-such-option", "web"}).has_value());
}
