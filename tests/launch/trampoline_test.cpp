#include "launch/trampoline.hpp"

#include <berth/channel/channel.hpp>
#include <berth/sys/process.hpp>
#include <berth/sys/socket.hpp>

#include <elf.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "launch/trampoline.h"

using namespace berth;
using namespace berth::launch;

namespace {

using channel::MessageType;

// A filter whose only instruction lets everything pass.
security::FilterProgram permissive_filter() {
  plan::Seccomp seccomp;
  seccomp.program = {{.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = SECCOMP_RET_ALLOW}};
  return security::FilterProgram::compile(seccomp).value();
}

// A process that executes the trampoline, and the other end of its channel.
class Run {
 public:
  Run(int trampoline, TrampolineSteps steps, const std::string& path, const std::vector<std::string>& arguments,
      const std::vector<std::string>& environment = {}) {
    sys::SocketPair sockets = sys::SocketPair::create().value();
    steps.channel = sockets.second.get();
    const ExecVectors vectors = trampoline_vectors(steps, path, "a doubt", arguments, environment);
    auto cloned = sys::clone_process(0, -1).value();
    if (!cloned) {
      ::fcntl(sockets.second.get(), F_SETFD, 0);
      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
      exec_trampoline(trampoline, vectors);
      ::_exit(99);
    }
    child_ = sys::Child(std::move(*cloned));
    socket_ = std::move(sockets.first);
  }

  void say(MessageType type) const {
    const std::string text(1, static_cast<char>(type));
    REQUIRE(sys::send_message(socket_.get(), text, {}, "test"));
  }
  // The next message, type first; "" at the end of the stream.
  [[nodiscard]] sys::ReceivedMessage hear() const { return sys::receive_message(socket_.get(), 8192, "test").value(); }
  void hang_up() { socket_.reset(); }
  sys::ExitStatus end() { return child_.reap().value(); }

 private:
  sys::Child child_;
  sys::UniqueFd socket_;
};

std::string message(MessageType type, std::string_view payload = {}) {
  return std::string(1, static_cast<char>(type)) + std::string(payload);
}

Error failure_in(const std::string& text) {
  REQUIRE_FALSE(text.empty());
  REQUIRE(static_cast<MessageType>(text.front()) == MessageType::kTrampolineFailed);
  return trampoline_error(std::string_view(text).substr(1), {.path = "/bin/x", .suspicion = "a doubt"});
}

}  // namespace

TEST_CASE("the trampoline is sealed against every change") {
  const auto trampoline = make_trampoline(nullptr, {}, false);
  REQUIRE(trampoline.has_value());
  CHECK(::fcntl(trampoline->get(), F_GET_SEALS) == (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE));
  CHECK(::pwrite(trampoline->get(), "x", 1, 0) < 0);
  CHECK(errno == EPERM);
}

TEST_CASE("the trampoline is one segment without anything writable, and the plan is in it") {
  const auto filter = permissive_filter();
  const auto trampoline = make_trampoline(&filter, {}, false);
  REQUIRE(trampoline.has_value());
  Elf64_Ehdr header{};
  REQUIRE(::pread(trampoline->get(), &header, sizeof header, 0) == sizeof header);
  std::size_t loaded = 0;
  for (unsigned index = 0; index < header.e_phnum; ++index) {
    Elf64_Phdr segment{};
    const auto offset = static_cast<off_t>(header.e_phoff + index * sizeof segment);
    REQUIRE(::pread(trampoline->get(), &segment, sizeof segment, offset) == sizeof segment);
    CHECK((segment.p_type == PT_LOAD || segment.p_type == PT_GNU_STACK));
    if (segment.p_type == PT_LOAD) {
      CHECK(segment.p_flags == (PF_R | PF_X));
      loaded += segment.p_filesz;
    } else {
      CHECK(segment.p_flags == (PF_R | PF_W));
    }
  }
  CHECK(static_cast<off_t>(loaded) == ::lseek(trampoline->get(), 0, SEEK_END));
}

TEST_CASE("vectors hold what execve takes") {
  const ExecVectors vectors =
      trampoline_vectors({.phases = 5, .channel = 7, .terminal = -1, .start_socket = 9}, "/bin/x", "why",
                         std::vector<std::string>{"x", "y"}, std::vector<std::string>{"A=b"});
  CHECK(std::string(vectors.argv()[0]) == "5 7 -1 9 -1");
  CHECK(std::string(vectors.argv()[1]) == "/bin/x");
  CHECK(std::string(vectors.argv()[2]) == "why");
  CHECK(std::string(vectors.argv()[4]) == "y");
  CHECK(vectors.argv()[5] == nullptr);
  CHECK(std::string(vectors.envp()[0]) == "A=b");
  CHECK(vectors.envp()[1] == nullptr);
}

TEST_CASE("the trampoline waits for its commit, announces and executes under the filter") {
  const auto filter = permissive_filter();
  const auto trampoline = make_trampoline(&filter, {}, false).value();
  Run run(trampoline.get(), {.phases = kSaysReady | kAwaitsCommit | kAnnounces | kConfines}, "/bin/sh",
          {"sh", "-c", "test \"$0 $A\" = 'zero b' && grep -q '^Seccomp:.2$' /proc/self/status && exit 42", "zero"},
          {"A=b", "PATH=/bin:/usr/bin"});
  CHECK(run.hear().data == message(MessageType::kReady));
  run.say(MessageType::kCommitted);
  const sys::ReceivedMessage executing = run.hear();
  REQUIRE(executing.data.starts_with(static_cast<char>(MessageType::kExecuting)));
  const ExecAnnouncement announcement = read_exec_announcement(std::string_view(executing.data).substr(1));
  CHECK(announcement.path == "/bin/sh");
  CHECK(announcement.suspicion == "a doubt");
  CHECK(run.hear().data.empty());
  CHECK(run.end().code == 42);
}

TEST_CASE("the trampoline ends with a supervisor that ends before it commits") {
  const auto trampoline = make_trampoline(nullptr, {}, false).value();
  Run run(trampoline.get(), {.phases = kSaysReady | kAwaitsCommit | kAnnounces}, "/bin/sh", {"sh", "-c", "exit 42"});
  CHECK(run.hear().data == message(MessageType::kReady));
  run.hang_up();
  CHECK(run.end().code == 127);
}

TEST_CASE("another message than the one it waits for ends it") {
  const auto trampoline = make_trampoline(nullptr, {}, false).value();
  Run run(trampoline.get(), {.phases = kAwaitsCommit}, "/bin/sh", {"sh", "-c", "exit 42"});
  run.say(MessageType::kProceed);
  CHECK(run.end().code == 127);
}

TEST_CASE("the trampoline hands the terminal over and closes it") {
  const auto trampoline = make_trampoline(nullptr, {}, false).value();
  const sys::UniqueFd terminal(::fcntl(STDIN_FILENO, F_DUPFD, 100));
  REQUIRE(terminal.valid());
  Run run(trampoline.get(), {.phases = kSaysReady | kAwaitsCommit, .terminal = terminal.get()}, "/bin/sh",
          {"sh", "-c", "exec 2>/dev/null; (: <&" + std::to_string(terminal.get()) + ") && exit 1; exit 42"});
  CHECK(run.hear().fds.size() == 1);
  run.say(MessageType::kCommitted);
  CHECK(run.end().code == 42);
}

TEST_CASE("what the trampoline cannot do it reports") {
  const auto filter = permissive_filter();
  const auto trampoline = make_trampoline(&filter, {}, false).value();
  SECTION("exec") {
    Run run(trampoline.get(), {.phases = kConfines}, "/no/such/program", {"x"});
    const Error error = failure_in(run.hear().data);
    CHECK(error.kind() == ErrorKind::kExec);
    CHECK(error.message() == "exec \"/bin/x\": no such file or directory (a doubt)");
    CHECK(run.end().code == 127);
  }
  SECTION("a controlling terminal") {
    const sys::UniqueFd none(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    Run run(trampoline.get(), {.phases = kForks | kControlsTerminal}, "/bin/sh", {"x"});
    const sys::ReceivedMessage cloned = run.hear();
    CHECK(cloned.data.starts_with(static_cast<char>(MessageType::kCloned)));
    CHECK(cloned.fds.size() == 1);
    CHECK(run.end().code == 0);
    run.say(MessageType::kProceed);
    const std::string heard = run.hear().data;
    if (!heard.empty()) {  // a test that is run at a terminal has one to give
      CHECK(failure_in(heard).message().find("terminal: ioctl(TIOCSCTTY)") == 0);
    }
    const sys::Pidfd child(sys::UniqueFd(::dup(cloned.fds.front().get())));
    CHECK(child.wait_ended(std::chrono::seconds(5)).value());
    CHECK(child.reap().has_value());
  }
}

TEST_CASE("a report of a failure that makes no sense is still an error") {
  CHECK(trampoline_error("", {}).kind() == ErrorKind::kInternal);
  CHECK(trampoline_error(std::string("\x63\0\0\0\0", 5), {}).kind() == ErrorKind::kInternal);
}

TEST_CASE("a forked process is the supervisor's child, and $LISTEN_PID is its own") {
  const auto trampoline = make_trampoline(nullptr, {}, false).value();
  Run run(trampoline.get(), {.phases = kForks | kWritesListenPid}, "/bin/sh",
          {"sh", "-c", "test $LISTEN_PID = $$ && exit 42"}, {"LISTEN_PID=2147483647"});
  const sys::ReceivedMessage cloned = run.hear();
  CHECK(run.end().code == 0);
  REQUIRE(cloned.fds.size() == 1);
  run.say(MessageType::kProceed);
  const sys::Pidfd child(sys::UniqueFd(::dup(cloned.fds.front().get())));
  CHECK(child.reap().value().code == 42);
}
