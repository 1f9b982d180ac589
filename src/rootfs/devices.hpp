// What is in /dev: nodes and links.
#pragma once

#include <berth/base/error.hpp>
#include <berth/path/root_dir.hpp>
#include <berth/plan/container_plan.hpp>
#include <berth/sys/unique_fd.hpp>

#include <span>
#include <vector>

namespace berth::rootfs {

/// Whether /dev is the runtime's to fill: not where config.json binds one of the host's there.
[[nodiscard]] bool fills_dev(const plan::Rootfs& plan);

/// Whether the process may make all of these with mknod(2): tried in `directory`, an empty one, and taken back. Not for
/// devices outside of /dev, whose file system may have an answer of its own.
[[nodiscard]] bool may_make_nodes(int directory, const std::vector<plan::Device>& devices);

/// A detached copy of the host's node at the device's own path, or at udev's link to its number; an error if neither is
/// this device. For user
/// namespaces, which cannot make nodes. Invalid for what needs none.
Result<sys::UniqueFd> open_host_device(const plan::Device& device);

/// Makes the nodes below `root`, with exact mode and owner: the caller has set the file mode mask to 0. `sources` is
/// empty, or has a copy of the host's node for each. A node that is there already must be the device. Then the links:
/// /dev/fd, stdin, stdout, stderr, core where the kernel has it, and ptmx of the container's own devpts.
Status fill_dev(const path::RootDir& root, const std::vector<plan::Device>& devices,
                std::span<const sys::UniqueFd> sources);

}  // namespace berth::rootfs
