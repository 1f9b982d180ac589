#pragma once

#include <berth/base/error.hpp>
#include <berth/sys/unique_fd.hpp>

#include <vector>

namespace berth::rootfs {

/// Descriptors that have done their work, to be closed with few calls: numbers that follow each other need one
/// close_range(2). Bounded, because a process may have only so many: what is beyond the bound is closed at once.
class KeptDescriptors {
 public:
  void take(sys::UniqueFd fd);
  /// Closes them all. To be done before a path of the container's is followed: /proc/self/fd would lead to places that
  /// masks cover (as in CVE-2024-21626).
  Status close_all();

 private:
  std::vector<sys::UniqueFd> kept_;
};

}  // namespace berth::rootfs
