#include "rootfs/bind_mount.hpp"

#include <berth/sys/file.hpp>
#include <berth/sys/mount.hpp>

#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "rootfs/mount_attributes.hpp"
#include "rootfs/mount_target.hpp"
#include "rootfs/propagation.hpp"

namespace berth::rootfs {
namespace {

constexpr mode_t kParentMode = 0755;

std::unexpected<Error> source_failure(Error error, const plan::Mount& mount) {
  error.add_context(mount.pointer + "/source");
  if (error.is(ENOENT) || error.is(ENOTDIR)) {
    error.add_hint("what a bind mount shows must exist");
  } else if (error.is(EINVAL) && !mount.recursive) {
    error.add_hint("a user namespace cannot uncover what mounts below the source hide; use rbind");
  }
  return std::unexpected(std::move(error));
}

Status copy_link(const path::RootDir& root, const plan::Mount& mount, const std::string& target) {
  TRY(check_destination(mount));
  const auto parent = TRY(root.make_parent(mount.destination, kParentMode));
  auto made = sys::symlink_at(target, parent.directory.get(), parent.name);
  if (!made && made.error().is(EEXIST)) {
    const auto present = sys::read_link(parent.directory.get(), parent.name);
    if (present && *present == target) {
      return {};
    }
  }
  return made;
}

}  // namespace

Status open_bind_source(const plan::Mount& mount, MountSource& source) {
  if (mount.copy_symlink) {
    auto link = sys::read_link(AT_FDCWD, mount.source);
    if (link) {
      source.link = std::move(*link);
      return {};
    }
    if (!link.error().is(EINVAL)) {  // EINVAL: it is no link
      return source_failure(std::move(link).error(), mount);
    }
  }
  const unsigned flags = OPEN_TREE_CLONE | (mount.recursive ? unsigned{AT_RECURSIVE} : 0U) |
                         (mount.source_nofollow ? unsigned{AT_SYMLINK_NOFOLLOW} : 0U);
  auto tree = sys::open_tree(AT_FDCWD, mount.source, flags, mount.source);
  if (!tree) {
    return source_failure(std::move(tree).error(), mount);
  }
  source.trees.push_back(std::move(*tree));
  return {};
}

Status open_idmapped_source(const plan::Rootfs& plan, const plan::Mount& mount, MountSource& source) {
  auto opened = open_bind_source(mount, source);
  if (!opened && opened.error().is(EPERM)) {
    opened.error().add_hint("ids are mapped by root of the host only");
  }
  if (!opened || source.trees.empty()) {
    return opened;
  }
  const int tree = source.trees.front().get();
  // The copy is one of the host's namespace still, and a peer of what it was copied from.
  if (const Propagation host = propagation_of_host(plan); host.recursive) {
    TRY(set_propagation(tree, host));
  }
  return map_ids(tree, mount, source.user_namespace.get());
}

Status mount_bind(const path::RootDir& root, const plan::Mount& mount, const MountSource& source,
                  KeptDescriptors& kept) {
  if (!source.link.empty()) {
    return copy_link(root, mount, source.link);
  }
  const int tree = source.trees.front().get();
  TRY(apply_attributes(tree, mount));
  MountTarget target = TRY(open_mount_target(root, mount, tree));
  TRY(check_place(source, target.fd.get(), mount.destination));
  TRY(attach_mount(mount, tree, target.fd.get()));
  kept.take(std::move(target.fd));
  return {};
}

}  // namespace berth::rootfs
