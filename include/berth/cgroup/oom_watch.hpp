// Notice of the kernel's OOM killer at work in a cgroup.
#pragma once

#include <berth/base/error.hpp>
#include <berth/cgroup/cgroup.hpp>
#include <berth/sys/unique_fd.hpp>

#include <poll.h>

#include <cstdint>

namespace berth::cgroup {

class OomWatch {
 public:
  /// Watches from now on. Where no controller of the placement limits memory nobody is killed there, and it is silent.
  static Result<OomWatch> open(const Placement& placement);

  /// What to wait for, until take() has something to tell; its descriptor is -1 for a silent one.
  [[nodiscard]] pollfd request() const;
  /// Whether the kernel has killed since the last call. Also after the cgroup was removed.
  Result<bool> take();

 private:
  sys::UniqueFd eventfd_;  ///< v1: signalled for memory.oom_control
  sys::UniqueFd file_;     ///< v1: memory.oom_control, v2: memory.events
  std::uint64_t killed_ = 0;
};

}  // namespace berth::cgroup
