// A copy of the container's own directory is what a new cgroup mount shows in a cgroup namespace, and all that a
// container without one should see. It needs one call instead of four, and no hierarchy that can still be mounted.

#include "rootfs/cgroup_mount.hpp"

#include <berth/sys/file.hpp>
#include <berth/sys/mount.hpp>

#include <fcntl.h>

#include <cerrno>
#include <cstdint>
#include <string_view>
#include <utility>

#include "rootfs/mount_target.hpp"

namespace berth::rootfs {
namespace {

constexpr mode_t kDirectoryMode = 0755;
constexpr std::uint64_t kDefaultAttributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

mount_attr attributes_of(const plan::Mount& mount, const Options& options) {
  mount_attr attributes{};
  // Access times are left alone: they mean nothing in a cgroup, and a user namespace cannot change them.
  constexpr std::uint64_t kFlags = kDefaultAttributes | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSYMFOLLOW;
  attributes.attr_set = kDefaultAttributes | ((mount.attributes.set | mount.recursive_attributes.set) & kFlags);
  // CVE-2023-25809: the owner of the user namespace owns the cgroup on the host too and could change its own limits.
  if (options.new_user_namespace && !options.cgroup_namespace) {
    attributes.attr_set |= MOUNT_ATTR_RDONLY;
  }
  attributes.propagation = mount.propagation;
  return attributes;
}

Result<sys::UniqueFd> make_tmpfs(const std::string& label, std::uint64_t attributes, KeptDescriptors& kept) {
  sys::UniqueFd context = TRY(sys::fs_open("tmpfs"));
  TRY(sys::fs_set_string(context.get(), "source", "tmpfs"));
  TRY(sys::fs_set_string(context.get(), "mode", "0755"));
  if (!label.empty()) {
    TRY(sys::fs_set_string(context.get(), "context", label));
  }
  TRY(sys::fs_create(context.get(), "tmpfs"));
  auto made = sys::fs_mount(context.get(), attributes, "tmpfs");
  kept.take(std::move(context));
  return made;
}

// Hosts mount cpu and cpuacct together in a directory "cpu,cpuacct"; programs look for each by its own name.
Status link_joint_controllers(int directory, const std::string& name) {
  if (name.find(',') == std::string::npos) {
    return {};
  }
  std::string_view rest = name;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    auto linked = sys::symlink_at(name, directory, std::string(rest.substr(0, comma)));
    if (!linked && !linked.error().is(EEXIST)) {
      return linked;
    }
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
  }
  return {};
}

Status mount_hierarchies(const MountTarget& target, const plan::Mount& mount, const MountSource& source,
                         const Options& options, const std::string& label, KeptDescriptors& kept) {
  sys::UniqueFd top = TRY(make_tmpfs(label, kDefaultAttributes, kept));
  TRY(sys::move_mount(top.get(), target.fd.get(), mount.destination));
  for (std::size_t index = 0; index < source.trees.size(); ++index) {
    const std::string& name = options.cgroup_view->hierarchies[index].name;
    TRY(sys::make_directory(top.get(), name, kDirectoryMode));
    TRY(sys::move_mount_into(source.trees[index].get(), top.get(), name, mount.destination + "/" + name));
    TRY(link_joint_controllers(top.get(), name));
  }
  TRY(sys::mount_set_attributes(top.get(), attributes_of(mount, options), true, mount.destination));
  kept.take(std::move(top));
  return {};
}

// Without a cgroup of its own (--cgroup-manager disabled) the container sees the one that it was started in, but only
// where a cgroup namespace keeps the rest of the host's out of sight; read-only, for it is not the container's.
Result<sys::UniqueFd> make_foreign_view(const Options& options, const std::string& label, KeptDescriptors& kept) {
  constexpr std::uint64_t kAttributes = kDefaultAttributes | MOUNT_ATTR_RDONLY;
  if (options.cgroup_namespace) {
    auto context = TRY(sys::fs_open("cgroup2"));
    if (sys::fs_create(context.get(), "cgroup2")) {
      return sys::fs_mount(context.get(), kAttributes, "cgroup2");
    }
  }
  return make_tmpfs(label, kAttributes, kept);
}

}  // namespace

Status open_cgroup_sources(const cgroup::View* view, MountSource& source) {
  if (view == nullptr) {
    return {};
  }
  for (const cgroup::View::Hierarchy& hierarchy : view->hierarchies) {
    source.trees.push_back(TRY(sys::open_tree(AT_FDCWD, hierarchy.host_path, OPEN_TREE_CLONE, hierarchy.host_path)));
  }
  return {};
}

Status mount_cgroup(const path::RootDir& root, const plan::Mount& mount, const MountSource& source,
                    const Options& options, const std::string& label, KeptDescriptors& kept) {
  MountTarget target = TRY(open_mount_target(root, mount, -1));
  if (options.cgroup_view == nullptr) {
    const sys::UniqueFd view = TRY(make_foreign_view(options, label, kept));
    return sys::move_mount(view.get(), target.fd.get(), mount.destination);
  }
  if (!options.cgroup_view->unified) {
    TRY(mount_hierarchies(target, mount, source, options, label, kept));
    kept.take(std::move(target.fd));
    return {};
  }
  const int tree = source.trees.front().get();
  TRY(sys::mount_set_attributes(tree, attributes_of(mount, options), false, mount.destination));
  return sys::move_mount(tree, target.fd.get(), mount.destination);
}

}  // namespace berth::rootfs
