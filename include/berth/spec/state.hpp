// The state document of the specification: what hooks read on stdin and `state` and `list` print.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace berth::spec {

/// The version of the runtime specification that this program implements.
inline constexpr std::string_view kOciVersion = "1.3.0";
/// The oldest version whose configurations it runs.
inline constexpr std::string_view kOciVersionMin = "1.0.0";

enum class ContainerStatus : std::uint8_t { kCreating, kCreated, kRunning, kPaused, kStopped };
/// "creating", "created", "running", "paused" or "stopped".
[[nodiscard]] std::string_view status_name(ContainerStatus status);

struct State {
  std::string id;
  ContainerStatus status = ContainerStatus::kCreating;
  pid_t pid = 0;  ///< as the host sees it; 0 when stopped
  std::string bundle;
  std::string rootfs;
  std::string created;  ///< RFC 3339; empty in the state that hooks get before it is known
  std::map<std::string, std::string> annotations;
  std::string owner;  ///< name of the user who made it, or empty
};

enum class Layout : std::uint8_t { kCompact, kIndented };

/// The document with runc's keys: ociVersion, id, pid, status, bundle, rootfs, created, annotations, owner. Without a
/// newline at its end.
[[nodiscard]] std::string state_json(const State& state, Layout layout);
/// What the agent of a seccomp listener gets with it: the "container process state" of the specification, with the
/// state of the container in it. `pid` is the process with the filter; `metadata` is left out when it is empty.
[[nodiscard]] std::string process_state_json(const State& state, pid_t pid, std::string_view metadata);
/// An array of the same documents, for `list --format json`; `[]` when there is none.
[[nodiscard]] std::string state_list_json(std::span<const State> states, Layout layout);

}  // namespace berth::spec
