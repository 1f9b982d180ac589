// uid and gid maps of a new user namespace (user_namespaces(7)).
#pragma once

#include <berth/base/error.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/sys/unique_fd.hpp>

#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace berth::ns {

/// The text of /proc/PID/uid_map: one line `CONTAINER HOST SIZE` a mapping.
[[nodiscard]] std::string id_map_text(std::span<const plan::IdMapping> mappings);
/// Whether the text of /proc/PID/uid_map has these mappings, in any order.
[[nodiscard]] bool is_id_map(std::string_view text, std::span<const plan::IdMapping> mappings);
/// Whether every id of one map is the caller's own alone, which the kernel lets it write without privilege.
[[nodiscard]] bool maps_only(std::span<const plan::IdMapping> mappings, std::uint32_t id);

/// Writes setgroups, gid_map and uid_map of an own child in its new user namespace. A caller without privilege writes a
/// map of its own id only; for more, newuidmap(1) and newgidmap(1) of the host do it, which read /etc/subuid.
/// `pid` must not have been reaped, so that its number is its own.
Status write_id_maps(pid_t pid, std::span<const plan::IdMapping> uid_mappings,
                     std::span<const plan::IdMapping> gid_mappings);

/// Fails unless the user namespace that an own child has joined maps ids like this; what is empty is not compared.
/// Engines write the mappings beside the path of the namespace that has them, and nothing can be mapped there a second
/// time.
Status check_id_maps(pid_t pid, std::span<const plan::IdMapping> uid_mappings,
                     std::span<const plan::IdMapping> gid_mappings);

/// A user namespace with these maps that nobody lives in, for id-mapped mounts. The process that it takes to make one
/// has ended when this returns.
Result<sys::UniqueFd> make_user_namespace(std::span<const plan::IdMapping> uid_mappings,
                                          std::span<const plan::IdMapping> gid_mappings);

}  // namespace berth::ns
