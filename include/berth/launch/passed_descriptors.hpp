// Descriptors of the caller's that the container's program gets besides stdio: socket activation, and --preserve-fds.
#pragma once

#include <string>

namespace berth::launch {

struct PassedDescriptors {
  static constexpr unsigned kFirst = 3;
  unsigned listen = 0;       ///< $LISTEN_FDS, from 3 on (sd_listen_fds(3))
  std::string listen_names;  ///< $LISTEN_FDNAMES
  unsigned preserve = 0;     ///< --preserve-fds, after those

  /// The first descriptor that is not passed on.
  [[nodiscard]] unsigned end() const { return kFirst + listen + preserve; }
};

/// The socket activation that was meant for this process, by $LISTEN_PID, and `preserve` descriptors.
[[nodiscard]] PassedDescriptors passed_descriptors(unsigned preserve);

}  // namespace berth::launch
