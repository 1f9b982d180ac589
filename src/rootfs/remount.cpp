#include "rootfs/remount.hpp"

#include <berth/sys/mount.hpp>

#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "rootfs/filesystem_mount.hpp"
#include "rootfs/mount_attributes.hpp"

namespace berth::rootfs {
namespace {

std::unexpected<Error> explain(Error error) {
  if (error.is(EINVAL)) {
    error.add_hint("only what is mounted at that place can be remounted, with options that its file system can change");
  }
  return std::unexpected(std::move(error));
}

Status reconfigure(int target, const plan::Mount& mount, KeptDescriptors& kept) {
  sys::UniqueFd context = TRY(sys::fs_pick(target, mount.destination));
  for (const auto& [key, value] : mount.fs_options) {
    TRY(set_option(context.get(), key, value));
  }
  TRY(sys::fs_reconfigure(context.get(), mount.destination));
  kept.take(std::move(context));
  return {};
}

}  // namespace

Status remount(const path::RootDir& root, const plan::Mount& mount, std::vector<DeferredReadonly>& deferred,
               KeptDescriptors& kept) {
  // No link is followed: the image's could turn what is meant for a volume on /sys.
  sys::UniqueFd target = TRY(root.open_without_links(mount.destination, O_PATH));
  plan::Mount now = mount;
  const bool wait = readonly_is_deferred(mount);
  if (wait) {
    now.attributes.set &= ~std::uint64_t{MOUNT_ATTR_RDONLY};
    std::erase_if(now.fs_options, [](const auto& option) { return option.first == "ro"; });
  }
  if (!now.fs_options.empty()) {
    if (auto done = reconfigure(target.get(), now, kept); !done) {
      return explain(std::move(done).error());
    }
  }
  if (auto done = apply_attributes(target.get(), now); !done) {
    return explain(std::move(done).error());
  }
  if ((mount.attributes.clear & MOUNT_ATTR_RDONLY) != 0) {
    std::erase_if(deferred, [&](const DeferredReadonly& earlier) { return earlier.name == mount.destination; });
  }
  if (wait) {
    deferred.push_back({std::move(target), mount.destination});
  } else {
    kept.take(std::move(target));
  }
  return {};
}

}  // namespace berth::rootfs
