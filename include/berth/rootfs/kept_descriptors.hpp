#pragma once

#include <berth/sys/unique_fd.hpp>

#include <cstddef>
#include <utility>
#include <vector>

namespace berth::rootfs {

/// Descriptors that have done their work, of what is in the container anyway. The process closes all that it has with
/// one call before its program starts, so each one that is kept until then is a system call less. Bounded, because a
/// process may have only so many: what is beyond the bound is closed at once.
class KeptDescriptors {
 public:
  void take(sys::UniqueFd fd) {
    constexpr std::size_t kMost = 256;
    if (kept_.size() < kMost) {
      kept_.push_back(std::move(fd));
    }
  }

 private:
  std::vector<sys::UniqueFd> kept_;
};

}  // namespace berth::rootfs
