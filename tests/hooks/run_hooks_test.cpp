#include <berth/hooks/run_hooks.hpp>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "in_child.hpp"

using namespace berth;
using namespace std::chrono_literals;

namespace {

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/berth-hooks-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] std::string read(const std::string& name) const {
    std::ifstream stream(file(name));
    return {std::istreambuf_iterator<char>(stream), {}};
  }

 private:
  std::string path_;
};

plan::Hook shell(const std::string& script) {
  return {.path = "/bin/sh", .args = {"sh", "-c", script}, .env = {}, .timeout = {}};
}

Status run(const std::vector<plan::Hook>& hooks, std::string_view state = "{}") {
  return hooks::run(hooks, {.stage = "createRuntime", .state = state, .exec = {}});
}

std::string message(const Status& status) {
  return status ? "ok" : status.error().message();
}

// Whether the process still runs; one that nobody has reaped yet does not.
bool is_running(int pid) {
  std::ifstream status(fmt::format("/proc/{}/stat", pid));
  std::string text;
  return std::getline(status, text) && text.find(") Z ") == std::string::npos;
}

}  // namespace

TEST_CASE("a hook reads the state, of whatever length, and has exactly its environment") {
  const Folder folder;
  const std::string state(300'000, 's');
  plan::Hook hook =
      shell("cat > " + folder.file("state") + "; tr '\\0' '\\n' < /proc/self/environ > " + folder.file("environment"));
  hook.env = {"A=1", "B=two words"};
  CHECK(message(run({hook}, state)) == "ok");
  CHECK(folder.read("state") == state);
  CHECK_THAT(folder.read("environment"), Catch::StartsWith("A=1\nB=two words\n"));
  CHECK(folder.read("environment").find("HOME=") == std::string::npos);
}

TEST_CASE("stdin can be opened by name too") {
  const Folder folder;
  CHECK(message(run({shell("cat /dev/stdin > " + folder.file("state"))}, "{\"id\":1}")) == "ok");
  CHECK(folder.read("state") == "{\"id\":1}");
}

TEST_CASE("no environment given, none there; no arguments given, the path is the name") {
  const Folder folder;
  std::ofstream(folder.file("hook")) << "#!/bin/sh\necho \"$0 $#\" > " << folder.file("name")
                                     << "\ntr '\\0' '\\n' < /proc/$$/environ > " << folder.file("environment") << "\n";
  std::filesystem::permissions(folder.file("hook"), std::filesystem::perms::all);
  CHECK(message(run({{.path = folder.file("hook"), .args = {}, .env = {}, .timeout = {}}})) == "ok");
  CHECK(folder.read("name") == folder.file("hook") + " 0\n");
  CHECK(folder.read("environment").empty());
}

TEST_CASE("hooks run in order, and the first failure ends it") {
  const Folder folder;
  const std::string log = folder.file("log");
  const Status status = run({shell("echo one >> " + log), shell("echo two >> " + log + "; echo why >&2; exit 3"),
                             shell("echo three >> " + log)});
  CHECK(message(status) == "hook createRuntime[1] /bin/sh: exit status 3: why");
  CHECK(folder.read("log") == "one\ntwo\n");
}

TEST_CASE("how a hook ended is told, with the end of its output on one line") {
  CHECK(message(run({shell("echo to stdout; echo to stderr >&2; exit 7")})) ==
        "hook createRuntime[0] /bin/sh: exit status 7: to stdout; to stderr");
  CHECK(message(run({shell("kill -TERM $$")})) == "hook createRuntime[0] /bin/sh: killed by SIGTERM");
  CHECK(message(run({shell("exit 127")})) == "hook createRuntime[0] /bin/sh: exit status 127");
  const std::string lengthy =
      message(run({shell("i=0; while [ $i -lt 9000 ]; do echo 0123456789; i=$((i+1)); done; exit 1")}));
  CHECK_THAT(lengthy, Catch::StartsWith("hook createRuntime[0] /bin/sh: exit status 1: ...") &&
                          Catch::EndsWith("0123456789; 0123456789"));
  CHECK(lengthy.size() < 2000);
}

TEST_CASE("a program that cannot be started says why") {
  const Folder folder;
  std::ofstream(folder.file("plain")) << "no program";
  std::ofstream(folder.file("script")) << "#!/no/such/interpreter\n";
  std::filesystem::permissions(folder.file("script"), std::filesystem::perms::all);
  const auto outcome = [&](const std::string& name) {
    const std::string path = folder.file(name);
    const std::string text = message(run({{.path = path, .args = {}, .env = {}, .timeout = {}}}));
    const std::string prefix = "hook createRuntime[0] " + path + ": execve(" + path + "): ";
    return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
  };
  CHECK(outcome("missing") == "No such file or directory");
  CHECK(outcome("plain") == "Permission denied");
  CHECK(outcome("script") == "No such file or directory (the file exists: its #! interpreter or ELF loader does not)");
}

TEST_CASE("a hook that passes its timeout is killed with its children") {
  const Folder folder;
  plan::Hook hook = shell("echo started; sleep 50 & echo $! > " + folder.file("pid") + "; wait");
  hook.timeout = 1s;
  const auto start = std::chrono::steady_clock::now();
  CHECK(message(run({hook})) == "hook createRuntime[0] /bin/sh: killed after its timeout of 1 s: started");
  CHECK(std::chrono::steady_clock::now() - start < 5s);
  const int sleeper = std::stoi(folder.read("pid"));
  // It is init's to reap now; wait for that a little.
  bool gone = false;
  for (int attempt = 0; attempt < 100 && !gone; ++attempt) {
    gone = !is_running(sleeper);
    ::usleep(10'000);
  }
  CHECK(gone);
}

TEST_CASE("what a hook leaves in the background neither holds the runtime up nor dies") {
  const Folder folder;
  const auto start = std::chrono::steady_clock::now();
  CHECK(message(run({shell("sleep 30 & echo $! > " + folder.file("pid"))})) == "ok");
  CHECK(std::chrono::steady_clock::now() - start < 5s);
  const int sleeper = std::stoi(folder.read("pid"));
  ::usleep(50'000);
  CHECK(is_running(sleeper));
  CHECK(::kill(sleeper, SIGKILL) == 0);
  // One that writes all the time does not either.
  CHECK(message(run({shell("yes & echo $! > " + folder.file("pid") + "; sleep 0.1; exit 4")}))
            .find("hook createRuntime[0] /bin/sh: exit status 4: ") == 0);
  ::kill(std::stoi(folder.read("pid")), SIGKILL);
}

TEST_CASE("the last words of a hook are told even if it has ended when they are looked for") {
  // The hook stops the runtime until it is gone itself.
  const std::string outcome = test::in_child([] {
    return message(run({shell("kill -STOP $PPID; echo last words; (sleep 0.3; kill -CONT $PPID) & exit 3")}));
  });
  CHECK(outcome == "hook createRuntime[0] /bin/sh: exit status 3: last words");
}

TEST_CASE("a hook that reads nothing and writes much is no trouble") {
  CHECK(message(run({shell("exec <&-; head -c 3000000 /dev/zero")}, std::string(500'000, 's'))) == "ok");
}

TEST_CASE("a hook has no descriptor, signal setting or group of the runtime's") {
  const Folder folder;
  const std::string outcome = test::in_child([&] {
    // Without close-on-exec, as a careless caller leaves it.
    const int leaked = ::open("/", O_PATH);
    ::dup2(leaked, 77);
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGINT, SIG_IGN);
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_BLOCK, &all, nullptr);
    return message(run({shell("exec 9> " + folder.file("report") +
                              "; ls /proc/$$/fd >&9; grep -E 'SigBlk|SigIgn' /proc/self/status >&9; cut -d' ' -f5 "
                              "/proc/$$/stat >&9; echo $$ >&9")}));
  });
  CHECK(outcome == "ok");
  std::istringstream report(folder.read("report"));
  std::vector<std::string> words;
  for (std::string word; report >> word;) {
    words.push_back(word);
  }
  const auto blocked = std::ranges::find(words, "SigBlk:");
  // 9 is the hook's own, and from 10 on a shell keeps copies of what it redirects.
  const std::set<std::string> expected = {"0", "1", "2", "9", "10", "11"};
  for (auto word = words.begin(); word != blocked; ++word) {
    CAPTURE(*word);
    CHECK(expected.contains(*word));
  }
  REQUIRE(words.end() - blocked == 6);
  CHECK(blocked[1] == "0000000000000000");
  CHECK(blocked[3] == "0000000000000000");
  CHECK(blocked[4] == blocked[5]);
}

TEST_CASE("hooks start in the directory that is given") {
  const Folder folder;
  const int directory = ::open("/usr", O_PATH | O_DIRECTORY | O_CLOEXEC);
  const Status status =
      hooks::run(std::vector{shell("pwd > " + folder.file("where"))},
                 {.stage = "createRuntime", .state = "{}", .working_directory = directory, .exec = {}});
  ::close(directory);
  CHECK(message(status) == "ok");
  CHECK(folder.read("where") == "/usr\n");
}

TEST_CASE("another way to exec takes the place of execve, and its error is told") {
  const hooks::Exec other = [](const plan::Hook& hook) {
    return Error::system(ENOEXEC, "start " + hook.path).add_hint("a hint");
  };
  const Status status =
      hooks::run(std::vector{shell("exit 0")}, {.stage = "startContainer", .state = "{}", .exec = other});
  CHECK(message(status) == "hook startContainer[0] /bin/sh: start /bin/sh: Exec format error (a hint)");
}

TEST_CASE("no hook leaves a descriptor or a child behind") {
  const auto descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
  };
  const auto before = descriptors();
  plan::Hook slow = shell("sleep 20");
  slow.timeout = 1s;
  for (const plan::Hook& hook :
       {shell("exit 0"), shell("exit 1"), slow, plan::Hook{.path = "/missing", .args = {}, .env = {}, .timeout = {}}}) {
    static_cast<void>(run({hook}));
  }
  CHECK(descriptors() == before);
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
  CHECK(errno == ECHILD);
}
