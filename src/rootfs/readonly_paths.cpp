#include "rootfs/readonly_paths.hpp"

#include <berth/sys/mount.hpp>
#include <berth/sys/unique_fd.hpp>

#include <fcntl.h>

#include <cerrno>
#include <utility>

namespace berth::rootfs {
namespace {

Status make_readonly(const path::RootDir& root, const std::string& path, KeptDescriptors& kept) {
  auto target = root.open(path, O_PATH);
  if (!target) {
    return target.error().is(ENOENT) || target.error().is(ENOTDIR) ? Status()
                                                                   : std::unexpected(std::move(target).error());
  }
  sys::UniqueFd tree = TRY(sys::open_tree(target->get(), "", OPEN_TREE_CLONE | AT_RECURSIVE, path));
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY;
  TRY(sys::mount_set_attributes(tree.get(), attributes, true, path));
  TRY(sys::move_mount(tree.get(), target->get(), path));
  kept.take(std::move(tree));
  kept.take(std::move(*target));
  return {};
}

}  // namespace

Status make_paths_readonly(const path::RootDir& root, const std::vector<std::string>& paths, KeptDescriptors& kept) {
  for (const std::string& path : paths) {
    TRY_CONTEXT(make_readonly(root, path, kept), "make {} read-only", path);
  }
  return {};
}

}  // namespace berth::rootfs
