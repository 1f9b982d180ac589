#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

namespace berth::launch {

/// The home directory of `uid` by the text of a passwd(5) file, or "/" if it has none.
[[nodiscard]] std::string home_in_passwd(std::string_view passwd, uid_t uid);
/// /etc/passwd of the calling process's root, which is the container's; "" where there is none that can be read.
[[nodiscard]] std::string container_passwd();
/// The home directory by /etc/passwd of the calling process's root: $HOME of a container whose configuration sets none.
[[nodiscard]] std::string home_of(uid_t uid);

}  // namespace berth::launch
