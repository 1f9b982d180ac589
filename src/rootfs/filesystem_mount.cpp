#include "rootfs/filesystem_mount.hpp"

#include <berth/sys/file.hpp>
#include <berth/sys/mount.hpp>

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "rootfs/mount_attributes.hpp"
#include "rootfs/mount_target.hpp"
#include "rootfs/tmpfs_copy_up.hpp"

namespace berth::rootfs {
namespace {

constexpr const char* kLabelAttribute = "security.selinux";

bool asks_readonly(const plan::Mount& mount) {
  return ((mount.attributes.set | mount.recursive_attributes.set) & MOUNT_ATTR_RDONLY) != 0;
}

Status configure(int context, const plan::Mount& mount, const MountTarget* target, const plan::Rootfs& plan) {
  TRY(sys::fs_set_string(context, "source", mount.source.empty() ? mount.type : mount.source));
  for (const auto& [key, value] : mount.fs_options) {
    if (key == "ro" && !value && readonly_is_deferred(mount)) {
      continue;
    }
    TRY(set_option(context, key, value));
  }
  // A tmpfs over a directory looks like that directory, as in runc; a place that was made for it gets tmpfs' own 1777.
  if (mount.type == "tmpfs" && target != nullptr && target->existed && !has_option(mount, "mode")) {
    const struct stat status = TRY(sys::stat_fd(target->fd.get(), mount.destination));
    TRY(sys::fs_set_string(context, "mode", fmt::format("{:04o}", status.st_mode & 07777U)));
  }
  // Kernels with SELinux label procfs and sysfs themselves; mqueue takes a label after it is mounted.
  if (!plan.mount_label.empty() && mount.type != "proc" && mount.type != "sysfs" && mount.type != "mqueue") {
    TRY(sys::fs_set_string(context, plan.label_option, plan.mount_label));
  }
  return {};
}

// A user namespace may only show what belongs to it: the cure is in another part of the configuration.
std::string missing_namespace(const std::string& type) {
  if (type == "sysfs") {
    return "in a user namespace sysfs needs a network namespace of its own; else bind-mount /sys (rbind, ro)";
  }
  if (type == "proc") {
    return "in a user namespace procfs needs a pid namespace of its own and a /proc that nothing is mounted over; "
           "else bind-mount /proc (rbind)";
  }
  if (type == "mqueue") {
    return "in a user namespace mqueue needs an ipc namespace of its own";
  }
  return "the container's user namespace may not mount this type";
}

Result<sys::UniqueFd> make_filesystem(const plan::Mount& mount, const MountTarget* target, const plan::Rootfs& plan,
                                      int user_namespace, KeptDescriptors& kept) {
  sys::UniqueFd context = TRY(sys::fs_open(mount.type));
  TRY(configure(context.get(), mount, target, plan));
  TRY(sys::fs_create(context.get(), mount.type));
  std::uint64_t attributes = mount.attributes.set | mount.recursive_attributes.set;
  if (readonly_is_deferred(mount)) {
    attributes &= ~std::uint64_t{MOUNT_ATTR_RDONLY};
  }
  sys::UniqueFd made = TRY(sys::fs_mount(context.get(), attributes, mount.type));
  kept.take(std::move(context));
  if (mount.idmapped) {
    TRY(map_ids(made.get(), mount, user_namespace));
  }
  return made;
}

Status set_propagation(int detached, const plan::Mount& mount) {
  // A new mount is private, and stays so below a root that is not shared.
  if (mount.propagation == 0 || mount.propagation == MS_PRIVATE) {
    return {};
  }
  mount_attr attributes{};
  attributes.propagation = mount.propagation;
  return sys::mount_set_attributes(detached, attributes, false, mount.destination);
}

// A database's directory is no use to it as root's.
Status copy_owner(const plan::Mount& mount, int from, int to) {
  if (has_option(mount, "uid") || has_option(mount, "gid")) {
    return {};
  }
  const struct stat status = TRY(sys::stat_fd(from, mount.destination));
  return sys::change_owner(to, status.st_uid, status.st_gid, mount.destination);
}

}  // namespace

bool has_option(const plan::Mount& mount, std::string_view key) {
  return std::ranges::any_of(mount.fs_options, [key](const auto& option) { return option.first == key; });
}

Status set_option(int context, const std::string& key, const std::optional<std::string>& value) {
  return value ? sys::fs_set_string(context, key, *value) : sys::fs_set_flag(context, key);
}

bool readonly_is_deferred(const plan::Mount& mount) {
  return asks_readonly(mount) && (mount.type == "tmpfs" || path::clean(mount.destination) == "/dev");
}

Status make_filesystem_of_device(const plan::Rootfs& plan, const plan::Mount& mount, MountSource& source) {
  const auto status = sys::stat_at(AT_FDCWD, mount.source, 0);
  if (!mount.source.starts_with('/') || !status || !S_ISBLK(status->st_mode)) {
    return {};
  }
  return make_filesystem_ahead(plan, mount, source);
}

Status make_filesystem_ahead(const plan::Rootfs& plan, const plan::Mount& mount, MountSource& source) {
  KeptDescriptors kept;
  source.trees.push_back(TRY_CONTEXT(make_filesystem(mount, nullptr, plan, source.user_namespace.get(), kept),
                                     "mount {} on {}", mount.source.empty() ? mount.type : mount.source,
                                     mount.destination));
  return {};
}

Result<sys::UniqueFd> mount_filesystem(const path::RootDir& root, const plan::Mount& mount, MountSource& source,
                                       const plan::Rootfs& plan, std::vector<DeferredReadonly>& deferred,
                                       KeptDescriptors& kept) {
  MountTarget target = TRY(open_mount_target(root, mount, -1));
  auto made = source.trees.empty() ? make_filesystem(mount, &target, plan, source.user_namespace.get(), kept)
                                   : std::move(source.trees.front());
  source.trees.clear();
  if (!made) {
    Error error = std::move(made).error();
    if (error.is(EPERM) || error.is(EBUSY)) {
      error.add_hint(missing_namespace(mount.type));
    }
    return std::unexpected(std::move(error));
  }
  TRY(set_propagation(made->get(), mount));
  if (mount.copy_up && target.existed) {
    TRY(check_same_kind(mount, made->get(), target.fd.get()));
    TRY_CONTEXT(copy_up(target.fd.get(), made->get()), "tmpcopyup");
    TRY(copy_owner(mount, target.fd.get(), made->get()));
  }
  if (mount.type == "mqueue" && !plan.mount_label.empty()) {
    const sys::UniqueFd directory = TRY(sys::open_at(made->get(), ".", O_RDONLY | O_DIRECTORY));
    TRY(sys::set_attribute(directory.get(), kLabelAttribute, plan.mount_label, mount.destination));
  }
  bool becomes_readonly = readonly_is_deferred(mount);
  if (becomes_readonly && source.readonly_at_once) {
    becomes_readonly = false;
    TRY(sys::mount_set_attributes(made->get(), readonly_attribute(), false, mount.destination));
  }
  TRY(check_place(source, target.fd.get(), mount.destination));
  TRY(attach_mount(mount, made->get(), target.fd.get()));  // the last that can fail: nobody else would take it back
  kept.take(std::move(target.fd));
  if (becomes_readonly) {
    deferred.push_back({std::move(*made), mount.destination});
    return sys::UniqueFd();
  }
  return std::move(*made);
}

}  // namespace berth::rootfs
