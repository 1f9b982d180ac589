#include <berth/base/scope_guard.hpp>
#include <berth/hooks/run_hooks.hpp>
#include <berth/sys/file.hpp>
#include <berth/sys/mount.hpp>
#include <berth/sys/pipe.hpp>
#include <berth/sys/process.hpp>
#include <berth/sys/signal.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hooks/output_tail.hpp"

namespace berth::hooks {
namespace {

using Clock = std::chrono::steady_clock;

// What a shell exits with for a program that it cannot start.
constexpr int kNotStarted = 127;

// The descriptors of one hook; the child has both sides, and exec closes them.
struct Descriptors {
  sys::UniqueFd state;  ///< its stdin
  sys::Pipe output;     ///< its stdout and stderr
  sys::Pipe failure;    ///< why exec did not happen
};

Result<Descriptors> make_descriptors(std::string_view state) {
  Descriptors descriptors;
  // A file and no pipe: whether and when the hook reads it blocks nobody and signals nobody.
  descriptors.state = TRY(sys::memory_file("state", false));
  TRY(sys::write_at(descriptors.state.get(), state, 0, "state of the hook"));
  descriptors.output = TRY(sys::Pipe::create());
  descriptors.failure = TRY(sys::Pipe::create());
  return descriptors;
}

Error execute(const plan::Hook& hook) {
  std::vector<char*> arguments;
  // execve(2) takes arrays of pointers to char that it does not write to.
  for (const std::string& argument : hook.args) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  if (arguments.empty()) {
    arguments.push_back(const_cast<char*>(hook.path.c_str()));
  }
  arguments.push_back(nullptr);
  // "The same semantics as environ" (config.md): none given, none there.
  std::vector<char*> environment;
  for (const std::string& variable : hook.env) {
    environment.push_back(const_cast<char*>(variable.c_str()));
  }
  environment.push_back(nullptr);
  ::execve(hook.path.c_str(), arguments.data(), environment.data());
  Error error = Error::system(errno, fmt::format("execve({})", hook.path));
  if (error.is(ENOENT) && ::access(hook.path.c_str(), F_OK) == 0) {
    error.add_hint("the file exists: its #! interpreter or ELF loader does not");
  }
  return error;
}

Status prepare_child(const Descriptors& descriptors, const Options& options) {
  TRY(sys::lead_process_group(0));
  sys::reset_signals();
  TRY(sys::duplicate_to(descriptors.state.get(), STDIN_FILENO, 0));
  const int kept = descriptors.output.write_end.get();
  TRY(sys::duplicate_to(options.output >= 0 ? options.output : kept, STDOUT_FILENO, 0));
  TRY(sys::duplicate_to(options.errors >= 0 ? options.errors : kept, STDERR_FILENO, 0));
  // At exec, not now: Options::exec may need descriptors of its own until then.
  TRY(sys::close_fds_on_exec(STDERR_FILENO + 1));
  if (options.working_directory >= 0) {
    TRY(sys::enter_directory(options.working_directory, "bundle"));
  }
  return {};
}

// An exception must not unwind into what is the parent's.
[[noreturn]] void run_child(const plan::Hook& hook, const Descriptors& descriptors, const Options& options) noexcept {
  const Status prepared = prepare_child(descriptors, options);
  const Error error = !prepared ? prepared.error() : options.exec ? options.exec(hook) : execute(hook);
  // Nobody is left to tell if this fails; the exit status says as much as it can.
  static_cast<void>(sys::write_all(descriptors.failure.write_end.get(), error.message(), "failure"));
  ::_exit(kNotStarted);
}

// Time left, in pieces that fit poll(2); negative: no end.
std::chrono::milliseconds time_left(const std::optional<Clock::time_point>& deadline) {
  if (!deadline) {
    return std::chrono::milliseconds(-1);
  }
  constexpr std::chrono::hours kLongest(24);
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now());
  return std::clamp(left, std::chrono::milliseconds(0), std::chrono::milliseconds(kLongest));
}

std::optional<Clock::time_point> deadline_of(const plan::Hook& hook) {
  if (!hook.timeout) {
    return std::nullopt;
  }
  constexpr std::chrono::hours kYear(365 * 24);
  return Clock::now() + std::min<std::chrono::seconds>(*hook.timeout, kYear);
}

// Reads output until the hook has ended; false if its timeout passed first. Only the hook itself counts: a process
// that it left in the background may hold the output open for ever.
Result<bool> wait_for_end(const sys::Child& child, Descriptors& descriptors, OutputTail& output,
                          const std::optional<Clock::time_point>& deadline, int interrupt_fd) {
  for (;;) {
    const std::array<int, 3> fds = {child.pidfd().get(), interrupt_fd, descriptors.output.read_end.get()};
    const std::optional<std::size_t> ready = TRY(sys::wait_readable(fds, time_left(deadline)));
    if (!ready) {
      if (deadline && Clock::now() >= *deadline) {
        return false;
      }
    } else if (*ready == 0) {
      if (descriptors.output.read_end.valid()) {
        TRY(output.drain(descriptors.output.read_end.get()));
      }
      return true;
    } else if (*ready == 1) {
      return fail(ErrorKind::kSystem, "killed, because a signal told to give up");
    } else if (!TRY(output.read_from(descriptors.output.read_end.get()))) {
      descriptors.output.read_end.reset();
    }
  }
}

std::unexpected<Error> failed(std::string how, const OutputTail& output) {
  const std::string text = output.text();
  if (!text.empty()) {
    how += ": " + text;
  }
  return std::unexpected(Error(ErrorKind::kSystem, std::move(how)));
}

Status run_hook(const plan::Hook& hook, const Options& options) {
  Descriptors descriptors = TRY(make_descriptors(options.state));
  const auto deadline = deadline_of(hook);
  std::optional<sys::ClonedProcess> process = TRY(sys::clone_process(0, -1));
  if (!process) {
    run_child(hook, descriptors, options);
  }
  sys::Child child(std::move(*process));
  const pid_t group = child.pid();
  // Here as in the child, whoever is first. It fails when the child has called exec already, having done it itself.
  static_cast<void>(sys::lead_process_group(group));
  ScopeGuard kill_group([group] { static_cast<void>(sys::kill_process_group(group)); });
  descriptors.output.write_end.reset();
  descriptors.failure.write_end.reset();
  OutputTail output;
  if (!TRY(wait_for_end(child, descriptors, output, deadline, options.interrupt_fd))) {
    return failed(fmt::format("killed after its timeout of {} s", hook.timeout->count()), output);
  }
  // What it left behind in its group lives on: it ended in its own time.
  kill_group.dismiss();
  const sys::ExitStatus status = TRY(child.reap());
  if (status.signal == 0 && status.code == 0) {
    return {};
  }
  if (status.code == kNotStarted) {
    const std::string why = TRY(sys::read_all(descriptors.failure.read_end.get(), 64 * 1024, "failure of the hook"));
    if (!why.empty()) {
      return std::unexpected(Error(ErrorKind::kSystem, why));
    }
  }
  return failed(status.describe(), output);
}

}  // namespace

Result<sys::UniqueFd> open_output(const std::string& path) {
  constexpr mode_t kMode = 0600;
  return path.empty() ? sys::UniqueFd() : sys::open_at(AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT, kMode);
}

Status run(std::span<const plan::Hook> hooks, const Options& options) {
  for (std::size_t index = 0; index < hooks.size(); ++index) {
    TRY_CONTEXT(run_hook(hooks[index], options), "hook {}[{}] {}", options.stage, index, hooks[index].path);
  }
  return {};
}

}  // namespace berth::hooks
