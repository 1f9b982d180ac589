// One number that two processes see.
#pragma once

#include <berth/base/error.hpp>
#include <berth/sys/unique_fd.hpp>

#include <utility>

namespace berth::sys {

/// An int in shared memory, which a process can wait for and change without any system call.
class SharedWord {
 public:
  /// A new one, 0. The descriptor is for the other process.
  static Result<SharedWord> create();
  /// The one that another process has made; refused unless the memory behind it can no longer shrink.
  static Result<SharedWord> open(UniqueFd fd);
  SharedWord(SharedWord&& other) noexcept : fd_(std::move(other.fd_)), word_(std::exchange(other.word_, nullptr)) {}
  SharedWord& operator=(SharedWord&&) = delete;
  SharedWord(const SharedWord&) = delete;
  SharedWord& operator=(const SharedWord&) = delete;
  ~SharedWord();

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] int load() const { return __atomic_load_n(word_, __ATOMIC_ACQUIRE); }
  void store(int value) { __atomic_store_n(word_, value, __ATOMIC_RELEASE); }

 private:
  SharedWord(UniqueFd fd, int* word) : fd_(std::move(fd)), word_(word) {}
  static Result<SharedWord> map(UniqueFd fd);
  UniqueFd fd_;
  int* word_;
};

}  // namespace berth::sys
