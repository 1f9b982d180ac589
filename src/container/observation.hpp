// What a container is doing right now, by its record and the kernel.
#pragma once

#include <berth/base/error.hpp>
#include <berth/cgroup/cgroup.hpp>
#include <berth/container/state_store.hpp>
#include <berth/launch/supervisor.hpp>
#include <berth/spec/record.hpp>
#include <berth/spec/state.hpp>
#include <berth/sys/process.hpp>

#include <optional>
#include <string>

namespace berth::container {

/// Name of the socket in the container's directory that its process listens at until it executes its program.
inline constexpr const char* kStartSocket = "start.sock";

/// The container's notify socket (sd_notify(3)), in a directory of its own that the container sees.
inline constexpr const char* kNotifyDirectory = "notify";
inline constexpr const char* kNotifySocket = "notify.sock";

struct Observation {
  spec::ContainerStatus status = spec::ContainerStatus::kStopped;
  std::optional<sys::Pidfd> process;  ///< while it lives
};

/// The status by what is there, never by what a command that may have been killed meant to write: a container is
/// created as long as somebody listens at the start socket, and running when that was closed by its exec.
Result<Observation> observe(const ContainerDirectory& directory, const std::optional<spec::Record>& record);

/// What `state` prints of a container, which nobody has to lock for it. kNotFound if there is no container `id`.
Result<spec::State> look_at(const StateView& containers, const std::string& id, cgroup::FrozenAbove& above);

/// The state document's content.
[[nodiscard]] spec::State describe(const spec::Record& record, spec::ContainerStatus status, pid_t pid);

/// Where a listener of the container's seccomp filter goes, and what goes with it. `pid` is the process that the filter
/// is of.
[[nodiscard]] launch::SeccompReceiver seccomp_receiver(const spec::Record& record, pid_t pid);

/// The record's cgroup as the cgroup module takes it, and back.
[[nodiscard]] cgroup::Placement placement_of(const spec::Record& record);
[[nodiscard]] spec::CgroupRecord record_of(const cgroup::Placement& placement);

/// "alice" for her uid by /etc/passwd, else the number: what the key `owner` says.
[[nodiscard]] std::string owner_name(uid_t uid);

}  // namespace berth::container
