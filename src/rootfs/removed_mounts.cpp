#include <berth/rootfs/mount_changes.hpp>
#include <berth/sys/mount.hpp>

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <iterator>
#include <utility>

#include "rootfs/mountinfo.hpp"

namespace berth::rootfs {
namespace {

struct Found {
  sys::UniqueFd mount;
  const plan::Mount* wanted = nullptr;
  MountInfo info;
};

class Search {
 public:
  static Result<Search> start(const path::RootDir& root, const path::ProcDir& proc) {
    const sys::MountPlace top = TRY(sys::mount_place(root.fd(), "<rootfs>"));
    return Search(root, top.mount_id, parse_mountinfo(TRY(proc.read("self/mountinfo", kMountinfoLimit))));
  }

  // What is mounted at the destination, which links may lead to as they do when it is added.
  [[nodiscard]] Result<Found> find(const plan::Mount& wanted) const {
    const std::string& destination = wanted.destination;
    sys::UniqueFd mount = TRY(root_.open(destination, O_PATH));
    const sys::MountPlace place = TRY(sys::mount_place(mount.get(), destination));
    if (!place.is_root) {
      return fail(ErrorKind::kState, "nothing is mounted on {}", destination);
    }
    const auto info = std::ranges::find(mounts_, place.mount_id, &MountInfo::id);
    if (place.mount_id == top_ || info == mounts_.end()) {
      return fail(ErrorKind::kConfig, "{} leads to the root itself", destination);
    }
    // The container's own links and directories decide where the path leads, which could be to what masks the host's.
    const auto below = std::ranges::find(mounts_, info->parent, &MountInfo::id);
    if (below != mounts_.end() && is_kernel_file_system(below->type)) {
      return fail(ErrorKind::kConfig, "what is mounted on {} protects {} from the container", destination, below->type);
    }
    return Found{std::move(mount), &wanted, *info};
  }

 private:
  Search(const path::RootDir& root, std::uint64_t top, std::vector<MountInfo> mounts)
      : root_(root), top_(top), mounts_(std::move(mounts)) {}

  const path::RootDir& root_;
  std::uint64_t top_;
  std::vector<MountInfo> mounts_;
};

Status detach(const path::ProcDir& proc, const Found& found) {
  const sys::UniqueFd descriptors = TRY(proc.open_file("self/fd", O_PATH | O_DIRECTORY));
  auto detached = sys::detach_mount_of(descriptors.get(), found.mount.get(), found.wanted->destination);
  if (!detached && detached.error().is(EINVAL)) {
    detached.error().add_hint("it came from a more privileged mount namespace together with what is below it");
  }
  return detached;
}

}  // namespace

Status remove_mounts(const std::vector<plan::Mount>& mounts, const path::RootDir& root, const path::ProcDir& proc) {
  const Search search = TRY(Search::start(root, proc));
  std::vector<Found> all;
  for (const plan::Mount& mount : mounts) {
    all.push_back(TRY_CONTEXT(search.find(mount), "{}/destination", mount.pointer));
    const auto same = std::ranges::find(all, all.back().info.id, [](const Found& found) { return found.info.id; });
    if (same != std::prev(all.end())) {
      return fail(ErrorKind::kConfig, "{}/destination: {} leads to the mount that {} names too", mount.pointer,
                  mount.destination, same->wanted->pointer);
    }
  }
  // What lies in another one first: it would go away with that.
  std::ranges::stable_sort(all, std::ranges::greater(),
                           [](const Found& found) { return found.info.mount_point.size(); });
  for (const Found& found : all) {
    TRY_CONTEXT(detach(proc, found), "{}/destination", found.wanted->pointer);
  }
  return {};
}

}  // namespace berth::rootfs
