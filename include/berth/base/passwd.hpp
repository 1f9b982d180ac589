// The text of a passwd(5) file. Read by hand: a static program must not load the host's name service modules, and a
// container's file is the container's.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string_view>

namespace berth {

/// One line; the texts point into the file's.
struct PasswdEntry {
  std::string_view name;
  uid_t uid = 0;
  gid_t gid = 0;
  std::string_view home;
};

/// The first well-formed entry of this name, or of this uid.
[[nodiscard]] std::optional<PasswdEntry> find_user_by_name(std::string_view passwd, std::string_view name);
[[nodiscard]] std::optional<PasswdEntry> find_user_by_id(std::string_view passwd, uid_t uid);

}  // namespace berth
