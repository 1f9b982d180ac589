#include <berth/base/trace.hpp>
#include <berth/rootfs/rootfs.hpp>
#include <berth/sys/file.hpp>
#include <berth/sys/mount.hpp>

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "rootfs/bind_mount.hpp"
#include "rootfs/cgroup_mount.hpp"
#include "rootfs/console.hpp"
#include "rootfs/devices.hpp"
#include "rootfs/filesystem_mount.hpp"
#include "rootfs/host_kernel_mounts.hpp"
#include "rootfs/host_tree.hpp"
#include "rootfs/masked_paths.hpp"
#include "rootfs/mount_attributes.hpp"
#include "rootfs/propagation.hpp"
#include "rootfs/readonly_paths.hpp"
#include "rootfs/remount.hpp"

namespace berth::rootfs {
namespace {

bool is_whole_procfs(const plan::Mount& mount) {
  const std::uint64_t attributes = mount.attributes.set | mount.recursive_attributes.set;
  return mount.type == "proc" && mount.fs_options.empty() && (attributes & MOUNT_ATTR_RDONLY) == 0;
}

// Other file systems may have options that name files: overlay has its layers' directories.
bool names_no_files(const plan::Mount& mount) {
  static constexpr auto kTypes = std::to_array<std::string_view>({"proc", "sysfs", "tmpfs", "devpts", "mqueue"});
  switch (mount.kind) {
    case plan::MountKind::kFilesystem:
      return std::ranges::find(kTypes, mount.type) != kTypes.end();
    case plan::MountKind::kRemount:
      return mount.fs_options.empty();
    case plan::MountKind::kBind:
    case plan::MountKind::kCgroup:
      return true;
  }
  return false;
}

// What can be made before there is a directory to mount it on.
bool is_tmpfs_of_dev(const plan::Mount& mount) {
  return mount.kind == plan::MountKind::kFilesystem && mount.type == "tmpfs" && !mount.idmapped &&
         path::clean(mount.destination) == "/dev" && has_option(mount, "mode");
}

// Without a mount namespace every mount would be one of the host.
Status check_needs_no_mounts(const plan::Rootfs& plan) {
  const auto refuse = [](const char* pointer) {
    return fail(ErrorKind::kConfig, "{}: needs a mount namespace of the container's own in /linux/namespaces", pointer);
  };
  if (!plan.mounts.empty()) {
    return refuse("/mounts");
  }
  if (!plan.masked_paths.empty()) {
    return refuse("/linux/maskedPaths");
  }
  if (!plan.readonly_paths.empty()) {
    return refuse("/linux/readonlyPaths");
  }
  if (plan.readonly) {
    return refuse("/root/readonly");
  }
  return {};
}

}  // namespace

bool needs_host(const plan::Mount& mount) {
  return mount.idmapped || (mount.kind == plan::MountKind::kFilesystem && mount.source.starts_with('/'));
}

Status open_host_source(const plan::Rootfs& plan, const plan::Mount& mount, MountSource& source) {
  return mount.kind == plan::MountKind::kBind ? open_idmapped_source(plan, mount, source)
                                              : make_filesystem_of_device(plan, mount, source);
}

RootfsBuilder::RootfsBuilder(const plan::Rootfs& plan, Options options, std::vector<MountSource> sources)
    : plan_(plan), options_(options), sources_(std::move(sources)) {}

Status RootfsBuilder::open_root() {
  auto directory = sys::open_at(AT_FDCWD, plan_.path, O_PATH | O_DIRECTORY);
  if (!directory) {
    Error error = std::move(directory).error();
    error.add_context("/root/path");
    return std::unexpected(std::move(error));
  }
  if (!options_.mount_namespace) {
    root_ = path::RootDir(std::move(*directory));
    return {};
  }
  rootfs_directory_ = std::move(*directory);
  // The mount's descriptor stays good when it is attached: every path of the container is resolved below it.
  root_ = path::RootDir(TRY(sys::open_tree(rootfs_directory_.get(), "", OPEN_TREE_CLONE | AT_RECURSIVE, plan_.path)));
  return set_propagation(root_.fd(), propagation_of_new_root(plan_));
}

Status RootfsBuilder::open_source(const plan::Mount& mount, MountSource& source) const {
  switch (mount.kind) {
    case plan::MountKind::kBind:
      return mount.idmapped ? Status() : open_bind_source(mount, source);
    case plan::MountKind::kCgroup:
      TRY_CONTEXT(open_cgroup_sources(options_.cgroup_view, source), "{}", mount.pointer);
      return {};
    case plan::MountKind::kFilesystem:
    case plan::MountKind::kRemount:
      return {};
  }
  return {};
}

Status RootfsBuilder::open_sources() {
  if (!options_.mount_namespace) {
    TRY(check_needs_no_mounts(plan_));
    return open_root();
  }
  TRY(set_root_propagation(propagation_of_host(plan_)));
  TRY(open_root());
  sources_.resize(plan_.mounts.size());
  for (std::size_t index = 0; index < sources_.size(); ++index) {
    TRY(open_source(plan_.mounts[index], sources_[index]));
  }
  if (options_.new_user_namespace && fills_dev(plan_)) {
    for (const plan::Device& device : plan_.devices) {
      device_sources_.push_back(TRY(open_host_device(device)));
    }
  }
  return set_root_propagation(propagation_while_building(plan_));
}

Status RootfsBuilder::mount_one(const plan::Mount& mount, MountSource& source) {
  const trace::Span span("mount", mount.destination);
  switch (mount.kind) {
    case plan::MountKind::kBind:
      return mount_bind(root_, mount, source, kept_);
    case plan::MountKind::kCgroup:
      return mount_cgroup(root_, mount, source, options_, plan_.mount_label, kept_);
    case plan::MountKind::kFilesystem: {
      sys::UniqueFd made = TRY(mount_filesystem(root_, mount, source, plan_, deferred_readonly_, kept_));
      if (!procfs_ && made.valid() && is_whole_procfs(mount)) {
        procfs_ = path::ProcDir::of_own_mount(std::move(made));
      } else {
        kept_.take(std::move(made));
      }
      return {};
    }
    case plan::MountKind::kRemount:
      return remount(root_, mount, deferred_readonly_, kept_);
  }
  return {};
}

// Where the process may not make a node, it binds the host's. Only trying tells: there are capabilities, and device
// rules of the cgroups above.
bool RootfsBuilder::may_make_devices() {
  const auto dev = std::ranges::find_if(plan_.mounts, is_tmpfs_of_dev);
  if (dev == plan_.mounts.end()) {
    return false;
  }
  MountSource& source = sources_[static_cast<std::size_t>(dev - plan_.mounts.begin())];
  // An error comes again where it belongs to a mount.
  return make_filesystem_ahead(plan_, *dev, source) && may_make_nodes(source.trees.front().get(), plan_.devices);
}

bool RootfsBuilder::needs_host_tree() {
  return !options_.alone_in_mount_namespace || options_.no_pivot || options_.new_user_namespace ||
         !std::ranges::all_of(plan_.mounts, names_no_files) || (fills_dev(plan_) && !may_make_devices());
}

Status RootfsBuilder::attach_root() {
  if (!needs_host_tree()) {
    host_tree_left_ = TRY(leave_host_tree());
  }
  TRY(host_tree_left_ ? sys::move_mount_onto_root(root_.fd(), plan_.path)
                      : sys::move_mount(root_.fd(), rootfs_directory_.get(), plan_.path));
  rootfs_directory_.reset();
  return {};
}

Status RootfsBuilder::mount_all() {
  if (!options_.mount_namespace) {
    return {};
  }
  if (options_.no_pivot) {
    const path::ProcDir proc = TRY(path::ProcDir::open());
    host_kernel_mounts_ = TRY(open_host_kernel_mounts(proc));
  }
  const sys::FileModeMask exact_modes(0);
  TRY(attach_root());
  for (std::size_t index = 0; index < sources_.size(); ++index) {
    const plan::Mount& mount = plan_.mounts[index];
    TRY_CONTEXT(mount_one(mount, sources_[index]), "{}: mount {} on {}", mount.pointer,
                mount.type.empty() ? mount.source : mount.type, mount.destination);
    for (sys::UniqueFd& tree : sources_[index].trees) {
      kept_.take(std::move(tree));
    }
    kept_.take(std::move(sources_[index].user_namespace));
  }
  return {};
}

Status RootfsBuilder::make_devices() {
  const trace::Span span("devices");
  if (!fills_dev(plan_)) {
    return {};
  }
  const sys::FileModeMask exact_modes(0);
  TRY(fill_dev(root_, plan_.devices, device_sources_));
  for (sys::UniqueFd& source : device_sources_) {
    kept_.take(std::move(source));
  }
  return {};
}

Status RootfsBuilder::bind_console(int slave) {
  return rootfs::bind_console(root_, slave);
}

Status RootfsBuilder::pivot() {
  if (host_tree_left_) {
    TRY(sys::enter_directory(root_.fd(), "<rootfs>"));
    TRY(sys::change_root_here());
  } else if (!options_.mount_namespace || options_.no_pivot) {
    TRY(detach_host_kernel_mounts(host_kernel_mounts_));
    host_kernel_mounts_.clear();
    TRY(sys::enter_directory(root_.fd(), "<rootfs>"));
    if (options_.mount_namespace) {
      TRY(sys::move_working_directory_to_root());
    }
    TRY(sys::change_root_here());
  } else {
    TRY(sys::enter_directory(root_.fd(), "<rootfs>"));
    TRY(sys::pivot_root_here());
    // The old root lies on top of the new one now (pivot_root(2), "NOTES"); its mounts are slaves or private.
    TRY(sys::detach_mount("."));
  }
  TRY(sys::enter_root());
  return set_root_propagation(propagation_of_root(plan_));
}

Status RootfsBuilder::seal() {
  // In this order: a mask inside a read-only path must lie on top of it.
  TRY(make_paths_readonly(root_, plan_.readonly_paths, kept_));
  TRY(mask_paths(root_, plan_.masked_paths, plan_.mount_label, kept_));
  for (DeferredReadonly& deferred : deferred_readonly_) {
    TRY(sys::mount_set_attributes(deferred.mount.get(), readonly_attribute(), false, deferred.name));
    kept_.take(std::move(deferred.mount));
  }
  if (plan_.readonly) {
    TRY(sys::root_set_attributes(readonly_attribute(), false));
  }
  procfs_.reset();
  return kept_.close_all();
}

}  // namespace berth::rootfs
