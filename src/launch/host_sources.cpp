#include "launch/host_sources.hpp"

#include <berth/ns/id_map.hpp>
#include <berth/sys/file.hpp>

#include <algorithm>
#include <span>

namespace berth::launch {
namespace {

// Mounts with the same maps share one namespace.
Result<sys::UniqueFd> user_namespace_of(std::span<const plan::Mount> mounts, std::size_t index,
                                        std::span<const rootfs::MountSource> sources, int joined) {
  const plan::Mount& mount = mounts[index];
  if (mount.uid_mappings.empty()) {
    return sys::duplicate(joined);
  }
  for (std::size_t earlier = 0; earlier < index; ++earlier) {
    if (mounts[earlier].idmapped && mounts[earlier].uid_mappings == mount.uid_mappings &&
        mounts[earlier].gid_mappings == mount.gid_mappings) {
      return sys::duplicate(sources[earlier].user_namespace.get());
    }
  }
  return ns::make_user_namespace(mount.uid_mappings, mount.gid_mappings);
}

}  // namespace

Result<std::vector<rootfs::MountSource>> open_host_sources(const plan::Rootfs& plan, int user_namespace) {
  const std::vector<plan::Mount>& mounts = plan.mounts;
  std::vector<rootfs::MountSource> sources;
  if (std::ranges::none_of(mounts, rootfs::needs_host)) {
    return sources;
  }
  sources.resize(mounts.size());
  for (std::size_t index = 0; index < mounts.size(); ++index) {
    const plan::Mount& mount = mounts[index];
    if (mount.idmapped) {
      sources[index].user_namespace =
          TRY_CONTEXT(user_namespace_of(mounts, index, sources, user_namespace), "{}: map ids", mount.pointer);
    }
    if (rootfs::needs_host(mount)) {
      TRY_CONTEXT(rootfs::open_host_source(plan, mount, sources[index]), "{}", mount.pointer);
    }
  }
  return sources;
}

}  // namespace berth::launch
