#include <berth/rootfs/mount_changes.hpp>
#include <berth/sys/file.hpp>
#include <berth/sys/mount.hpp>

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "rootfs/bind_mount.hpp"
#include "rootfs/filesystem_mount.hpp"
#include "rootfs/mount_attributes.hpp"
#include "rootfs/mountinfo.hpp"
#include "rootfs/propagation.hpp"

namespace berth::rootfs {

namespace {

// Of all types tmpfs alone has new places for later mounts made in it.
bool holds_later_place(std::span<const plan::Mount> mounts, std::size_t index) {
  const std::string below = path::clean(mounts[index].destination) + '/';
  return mounts[index].type == "tmpfs" && std::ranges::any_of(mounts.subspan(index + 1), [&](const plan::Mount& later) {
           return path::clean(later.destination).starts_with(below);
         });
}

Result<std::vector<std::uint64_t>> shared_mounts(const path::ProcDir& proc) {
  std::vector<std::uint64_t> ids;
  for (const MountInfo& mount : parse_mountinfo(TRY(proc.read("self/mountinfo", kMountinfoLimit)))) {
    if (mount.shared) {
      ids.push_back(mount.id);
    }
  }
  return ids;
}

}  // namespace

AddedMounts::AddedMounts(const plan::Rootfs& plan, std::vector<MountSource> sources)
    : plan_(plan), sources_(std::move(sources)) {
  sources_.resize(plan_.mounts.size());
  for (std::size_t index = 0; index < sources_.size(); ++index) {
    sources_[index].readonly_at_once = !holds_later_place(plan_.mounts, index);
  }
}

Status AddedMounts::open_source(const plan::Mount& mount, MountSource& source) const {
  if (!source.trees.empty()) {
    return {};
  }
  if (mount.kind == plan::MountKind::kBind) {
    return open_bind_source(mount, source);
  }
  // A tmpfs takes the mode of its place, and names no path.
  if (mount.type != "tmpfs") {
    TRY_CONTEXT(make_filesystem_ahead(plan_, mount, source), "{}", mount.pointer);
  }
  return {};
}

Status AddedMounts::open_sources() {
  TRY(set_root_propagation(propagation_of_host(plan_)));
  for (std::size_t index = 0; index < sources_.size(); ++index) {
    TRY(open_source(plan_.mounts[index], sources_[index]));
  }
  return {};
}

Status AddedMounts::attach_one(const path::RootDir& root, const plan::Mount& mount, MountSource& source) {
  KeptDescriptors kept;
  std::vector<DeferredReadonly> deferred;
  sys::UniqueFd attached;
  if (mount.kind == plan::MountKind::kBind) {
    TRY(mount_bind(root, mount, source, kept));
    attached = std::move(source.trees.front());
  } else {
    attached = TRY(mount_filesystem(root, mount, source, plan_, deferred, kept));
  }
  const bool becomes_readonly = !deferred.empty();
  if (becomes_readonly) {
    attached = std::move(deferred.front().mount);
  }
  attached_.push_back({std::move(attached), mount.destination, becomes_readonly});
  return {};
}

Status AddedMounts::attach_all(const path::RootDir& root, const path::ProcDir& proc) {
  const sys::FileModeMask exact_modes(0);
  std::vector<std::uint64_t> shared = TRY(shared_mounts(proc));
  for (std::size_t index = 0; index < sources_.size(); ++index) {
    const plan::Mount& mount = plan_.mounts[index];
    if (index > 0 && plan_.mounts[index - 1].kind == plan::MountKind::kBind) {
      shared = TRY(shared_mounts(proc));  // the copy may be a peer of the host's
    }
    sources_[index].not_onto = shared;
    TRY_CONTEXT(attach_one(root, mount, sources_[index]), "{}: mount {} on {}", mount.pointer,
                mount.type.empty() ? mount.source : mount.type, mount.destination);
  }
  for (const Attached& attached : attached_) {
    TRY(attached.becomes_readonly
            ? sys::mount_set_attributes(attached.mount.get(), readonly_attribute(), false, attached.destination)
            : Status());
  }
  return {};
}

Error AddedMounts::detach_all(const path::ProcDir& proc, Error reason) const {
  Status undone;
  for (auto attached = attached_.rbegin(); attached != attached_.rend(); ++attached) {
    auto detached = detach_alone(proc, attached->mount.get(), attached->destination);
    if (!detached && !detached.error().is(EINVAL) && undone) {  // EINVAL: the container has taken it away itself
      undone = std::move(detached);
    }
  }
  if (!undone) {
    reason.add_context(fmt::format("not all mounts before it are gone again, {}", undone.error().message()));
  }
  return reason;
}

Status AddedMounts::attach(const path::RootDir& root, const path::ProcDir& proc) {
  auto attached = attach_all(root, proc);
  return attached ? attached : std::unexpected(detach_all(proc, std::move(attached).error()));
}

}  // namespace berth::rootfs
