#include "launch/seccomp_listener.hpp"

#include <berth/sys/socket.hpp>

#include <signal.h>

#include <array>
#include <chrono>
#include <cstdint>

namespace berth::launch {
namespace {

// What the word says: 0 at first, then the listener's number, then this.
constexpr int kTaken = -1;

// Turns of the wait, some 40 to 140 cycles each: a minute or more, where the supervisor needs at most 12 s.
constexpr std::uint64_t kTurns = 4'000'000'000;

constexpr std::chrono::milliseconds kLoadTimeout{10'000};

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  asm volatile("yield");
#endif
}

Status hand_over(sys::UniqueFd word_fd, const channel::Channel& channel, const sys::Pidfd& pidfd,
                 const SeccompReceiver& receiver) {
  sys::SharedWord word = TRY(sys::SharedWord::open(std::move(word_fd)));
  const std::array<int, 2> fds = {pidfd.get(), channel.fd()};
  const auto deadline = std::chrono::steady_clock::now() + kLoadTimeout;
  while (word.load() == 0) {
    if (TRY(sys::wait_readable(fds, std::chrono::milliseconds(1)))) {
      return {};  // it could not load the filter, and says why or has died
    }
    if (std::chrono::steady_clock::now() > deadline) {
      return fail(ErrorKind::kSystem, "the filter was not loaded within {} s", kLoadTimeout.count() / 1000);
    }
  }
  const sys::UniqueFd listener = TRY(pidfd.copy_descriptor(word.load()));
  TRY(sys::send_to(receiver.path, receiver.document, listener.get()));
  word.store(kTaken);
  return {};
}

}  // namespace

Status load_and_offer(const security::FilterProgram& filter, sys::SharedWord& word) {
  const int listener = TRY(filter.load_with_listener());
  word.store(listener);
  for (std::uint64_t turn = 0; word.load() != kTaken; ++turn) {
    if (turn == kTurns) {
      __builtin_trap();  // the one end that is no system call
    }
    relax();
  }
  return {};
}

Status serve_listener(sys::UniqueFd word, const channel::Channel& channel, const sys::Pidfd& pidfd,
                      const SeccompReceiver& receiver) {
  auto served = hand_over(std::move(word), channel, pidfd, receiver);
  if (!served) {
    static_cast<void>(pidfd.send_signal(SIGKILL));
    return std::unexpected(std::move(served).error().add_context("seccomp listener"));
  }
  return {};
}

}  // namespace berth::launch
