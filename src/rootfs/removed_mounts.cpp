#include <berth/rootfs/mount_changes.hpp>
#include <berth/sys/file.hpp>
#include <berth/sys/mount.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <utility>

#include "rootfs/mountinfo.hpp"
#include "rootfs/propagation.hpp"

namespace berth::rootfs {
namespace {

struct Found {
  sys::UniqueFd mount;
  const plan::Mount* wanted = nullptr;
  MountInfo info;
};

Result<bool> looks_like_protection(const Found& found) {
  return found.info.readonly || S_ISCHR(TRY(sys::stat_fd(found.mount.get(), found.wanted->destination)).st_mode);
}

class Search {
 public:
  static Result<Search> start(const path::RootDir& root, const path::ProcDir& proc) {
    const sys::MountPlace top = TRY(sys::mount_place(root.fd(), "<rootfs>"));
    return Search(root, top.mount_id, parse_mountinfo(TRY(proc.read("self/mountinfo", kMountinfoLimit))));
  }

  // What must stay because it is at one of these paths, which are taken with links, as when it was put there.
  Status protect(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) {
      const auto opened = root_.open(path, O_PATH);
      const sys::MountPlace place = opened ? TRY(sys::mount_place(opened->get(), path)) : sys::MountPlace();
      if (place.is_root) {
        protecting_.push_back(place.mount_id);
      } else if (!TRY(never_was(path))) {
        lost_ = path;
      }
    }
    return {};
  }

  // What is mounted at the destination. No link is followed: the container's would choose what is taken away.
  [[nodiscard]] Result<Found> find(const plan::Mount& wanted) const {
    const std::string& destination = wanted.destination;
    auto opened = root_.open_without_links(destination, O_PATH);
    if (!opened && opened.error().is(ELOOP)) {
      opened.error().add_hint("name the mount by the path that it is at");
    }
    sys::UniqueFd mount = TRY(std::move(opened));
    const sys::MountPlace place = TRY(sys::mount_place(mount.get(), destination));
    const MountInfo* info = by_id(place.mount_id);
    if (!place.is_root || info == nullptr || info->mount_point != destination) {
      return fail(ErrorKind::kState, "nothing is mounted on {}", destination);
    }
    Found found{std::move(mount), &wanted, *info};
    TRY(check(found));
    return found;
  }

 private:
  Search(const path::RootDir& root, std::uint64_t top, std::vector<MountInfo> mounts)
      : root_(root), top_(top), mounts_(std::move(mounts)) {}

  [[nodiscard]] const MountInfo* by_id(std::uint64_t id) const {
    const auto found = std::ranges::find(mounts_, id, &MountInfo::id);
    return found == mounts_.end() ? nullptr : &*found;
  }

  // Whether the path leads to nothing in procfs or sysfs, whose directories nobody can move.
  [[nodiscard]] Result<bool> never_was(const std::string& path) const {
    for (std::string existing = path::clean(path);; existing.resize(std::max<std::size_t>(existing.rfind('/'), 1))) {
      const auto opened = root_.open_without_links(existing, O_PATH);
      if (opened) {
        const MountInfo* info = by_id(TRY(sys::mount_place(opened->get(), existing)).mount_id);
        return info != nullptr && is_kernel_file_system(info->type);
      }
      if (!opened.error().is(ENOENT) && !opened.error().is(ENOTDIR)) {
        return false;
      }
    }
  }

  [[nodiscard]] Status check(const Found& found) const {
    const std::string& destination = found.wanted->destination;
    if (found.info.id == top_) {
      return fail(ErrorKind::kConfig, "{} is the root itself", destination);
    }
    const MountInfo* below = by_id(found.info.parent);
    if (below != nullptr && is_kernel_file_system(below->type)) {
      return fail(ErrorKind::kConfig, "what is mounted on {} protects {} from the container", destination, below->type);
    }
    if (std::ranges::find(protecting_, found.info.id) != protecting_.end()) {
      return fail(ErrorKind::kConfig, "what is mounted on {} is there to protect a path", destination);
    }
    if (!lost_.empty() && TRY(looks_like_protection(found))) {
      return fail(ErrorKind::kState, "what is mounted on {} may be what protected {}, which is not there any more",
                  destination, lost_);
    }
    if (below == nullptr || below->shared) {
      return fail(ErrorKind::kState, "{} {}", destination, kOnSharedMount);
    }
    return {};
  }

  const path::RootDir& root_;
  std::uint64_t top_;
  std::vector<MountInfo> mounts_;
  std::vector<std::uint64_t> protecting_;
  std::string lost_;  // one of the paths, if the container may have moved what protects it
};

Status detach(const path::ProcDir& proc, const Found& found) {
  auto detached = detach_alone(proc, found.mount.get(), found.wanted->destination);
  if (!detached && detached.error().is(EINVAL)) {
    detached.error().add_hint("it came from a more privileged mount namespace together with what is below it");
  }
  return detached;
}

}  // namespace

Status remove_mounts(const plan::Rootfs& plan, const path::RootDir& root, const path::ProcDir& proc) {
  Search search = TRY(Search::start(root, proc));
  TRY(search.protect(plan.masked_paths));
  TRY(search.protect(plan.readonly_paths));
  std::vector<Found> all;
  all.reserve(plan.mounts.size());
  for (const plan::Mount& mount : plan.mounts) {
    all.push_back(TRY_CONTEXT(search.find(mount), "{}/destination", mount.pointer));
  }
  // What lies in another one first: it would go away with that.
  std::ranges::stable_sort(all, std::ranges::greater(),
                           [](const Found& found) { return found.info.mount_point.size(); });
  std::string gone;
  for (const Found& found : all) {
    auto detached = detach(proc, found);
    if (!detached) {
      detached.error().add_context(fmt::format("{}/destination", found.wanted->pointer));
      return gone.empty() ? detached
                          : std::unexpected(std::move(detached).error().add_context(gone + " removed, then"));
    }
    gone += (gone.empty() ? "" : ", ") + found.wanted->destination;
  }
  return {};
}

}  // namespace berth::rootfs
