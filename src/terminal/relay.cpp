#include <berth/sys/file.hpp>
#include <berth/sys/process.hpp>
#include <berth/terminal/job_control.hpp>
#include <berth/terminal/relay.hpp>

#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

namespace berth::terminal {
namespace {

constexpr std::size_t kBufferSize = std::size_t{16} * 1024;
// More reads than the kernel's buffer of a terminal has room for.
constexpr int kMaxDrainReads = 64;

// For the handler: the caller's settings while this program has changed them.
termios settings_of_caller{};

constexpr std::array kCrashes = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS};

void restore_and_crash(int signal) {
  ::tcsetattr(STDIN_FILENO, TCSANOW, &settings_of_caller);
  static_cast<void>(::raise(signal));  // SA_RESETHAND: the default action, which ends this program
}

void restore_in_crash(const termios& settings) {
  settings_of_caller = settings;
  struct sigaction action {};
  action.sa_handler = restore_and_crash;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER);
  for (const int signal : kCrashes) {
    ::sigaction(signal, &action, nullptr);
  }
}

}  // namespace

Result<Relay> Relay::start(sys::UniqueFd master, bool size_is_set) {
  TRY(sys::set_nonblocking(master.get()));
  Relay relay(std::move(master));
  TRY(relay.make_raw());
  if (!size_is_set) {
    TRY(relay.resize());
  }
  return relay;
}

Status Relay::make_raw() {
  // Where they were saved already, a shell may have changed them since: it does when a job stops.
  termios settings = saved_.value_or(termios());
  in_background_ = !is_foreground(STDIN_FILENO);
  if (in_background_ || (!saved_ && ::tcgetattr(STDIN_FILENO, &settings) < 0)) {
    return {};  // a terminal that is others' now; or a file or a pipe
  }
  saved_ = settings;
  restore_in_crash(settings);
  ::cfmakeraw(&settings);
  if (::tcsetattr(STDIN_FILENO, TCSANOW, &settings) < 0) {
    return sys_fail(errno, "tcsetattr(stdin)");
  }
  return {};
}

Relay::Relay(Relay&& other) noexcept
    : master_(std::move(other.master_)),
      saved_(std::exchange(other.saved_, std::nullopt)),
      pending_(std::move(other.pending_)),
      input_open_(other.input_open_),
      in_background_(other.in_background_) {}

Relay::~Relay() {
  suspend();
}

void Relay::suspend() {
  if (saved_) {
    if (is_foreground(STDIN_FILENO)) {
      ::tcsetattr(STDIN_FILENO, TCSANOW, &*saved_);
    }
    saved_.reset();
    for (const int signal : kCrashes) {
      static_cast<void>(::signal(signal, SIG_DFL));
    }
  }
}

Status Relay::forward_input() {
  std::array<char, kBufferSize> buffer;
  const ssize_t count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) {
    return {};
  }
  // EIO: a job in the background may not read its terminal, or that was hung up, which ends the input alone.
  if (count < 0 && errno != EIO) {
    return sys_fail(errno, "read(stdin)");
  }
  if (count < 0 && !is_foreground(STDIN_FILENO)) {
    suspend();
    in_background_ = true;
    return {};
  }
  if (count <= 0) {
    input_open_ = false;
    pending_ = "\x04";
  } else {
    pending_.assign(buffer.data(), static_cast<std::size_t>(count));
  }
  return flush_input();
}

Status Relay::flush_input() {
  const ssize_t count = ::write(master_.get(), pending_.data(), pending_.size());
  if (count < 0) {
    return errno == EAGAIN || errno == EINTR ? Status() : sys_fail(errno, "write(terminal)");
  }
  pending_.erase(0, static_cast<std::size_t>(count));
  return {};
}

Status Relay::forward_output() {
  std::array<char, kBufferSize> buffer;
  const ssize_t count = ::read(master_.get(), buffer.data(), buffer.size());
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) {
    return {};
  }
  if (count <= 0) {
    // EIO: the last process with the slave open has closed it.
    if (count < 0 && errno != EIO) {
      return sys_fail(errno, "read(terminal)");
    }
    master_.reset();
    pending_.clear();
    return {};
  }
  return sys::write_all(STDOUT_FILENO, {buffer.data(), static_cast<std::size_t>(count)}, "stdout");
}

Status Relay::drain_output() {
  for (int reads = 0; master_.valid() && reads < kMaxDrainReads; ++reads) {
    const int fd = master_.get();
    if (!TRY(sys::wait_readable({&fd, 1}, std::chrono::milliseconds(0)))) {
      break;
    }
    TRY(forward_output());
  }
  return {};
}

Status Relay::resize() {
  struct winsize window {};
  const auto has_size = [&window](int fd) { return ::ioctl(fd, TIOCGWINSZ, &window) == 0; };
  if (!master_.valid() || !(has_size(STDIN_FILENO) || has_size(STDOUT_FILENO) || has_size(STDERR_FILENO))) {
    return {};
  }
  if (::ioctl(master_.get(), TIOCSWINSZ, &window) < 0) {
    return sys_fail(errno, "ioctl(TIOCSWINSZ)");
  }
  return {};
}

Status Relay::resume() {
  TRY(make_raw());
  return saved_ ? resize() : Status();
}

}  // namespace berth::terminal
