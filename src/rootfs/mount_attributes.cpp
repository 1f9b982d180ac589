#include "rootfs/mount_attributes.hpp"

#include <array>
#include <cerrno>
#include <utility>

namespace berth::rootfs {
namespace {

mount_attr attributes_of(const plan::MountAttributes& wanted) {
  mount_attr attributes{};
  attributes.attr_set = wanted.set;
  attributes.attr_clr = wanted.clear;
  // The kernel takes a new access time mode only together with clearing the whole field.
  if ((wanted.set & MOUNT_ATTR__ATIME) != 0) {
    attributes.attr_clr |= MOUNT_ATTR__ATIME;
  }
  return attributes;
}

bool changes(const mount_attr& attributes) {
  return attributes.attr_set != 0 || attributes.attr_clr != 0 || attributes.propagation != 0;
}

}  // namespace

mount_attr readonly_attribute() {
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY;
  return attributes;
}

std::vector<AttributeCall> attribute_calls(const plan::Mount& mount) {
  AttributeCall tree{attributes_of(mount.recursive_attributes), true};
  AttributeCall top{attributes_of(mount.attributes), false};
  // A copy of one mount alone needs no call of its own for a recursive propagation.
  const bool with_tree = mount.propagation_recursive && (mount.recursive || changes(tree.attributes));
  (with_tree ? tree : top).attributes.propagation = mount.propagation;
  std::vector<AttributeCall> calls;
  for (const AttributeCall& call : {tree, top}) {
    if (changes(call.attributes)) {
      calls.push_back(call);
    }
  }
  return calls;
}

Status apply_attributes(int tree, const plan::Mount& mount) {
  for (const AttributeCall& call : attribute_calls(mount)) {
    auto done = sys::mount_set_attributes(tree, call.attributes, call.recursive, mount.destination);
    if (!done) {
      Error error = std::move(done).error();
      if (error.is(EPERM) && call.attributes.attr_clr != 0) {
        // mount_namespaces(7): flags of mounts that came from a more privileged namespace are locked. Granting less
        // than config.json asks for would be silent, so it is an error, as in runc.
        error.add_hint(fmt::format("a user namespace cannot take {} off a mount of the host",
                                   attribute_names(call.attributes.attr_clr)));
      }
      return std::unexpected(std::move(error));
    }
  }
  return {};
}

Status map_ids(int mount_fd, const plan::Mount& mount, int user_namespace) {
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_IDMAP;
  attributes.userns_fd = static_cast<unsigned>(user_namespace);
  auto done = sys::mount_set_attributes(mount_fd, attributes, mount.idmap_recursive, mount.destination);
  if (!done) {
    Error error = std::move(done).error();
    error.add_context("map ids");
    if (error.is(EINVAL)) {
      error.add_hint("this kernel maps no ids on mounts of that file system");
    } else if (error.is(EPERM)) {
      error.add_hint(
          "only root of the user namespace that a file system was mounted in may map its ids, and only once");
    }
    return std::unexpected(std::move(error));
  }
  return {};
}

std::string attribute_names(std::uint64_t attributes) {
  constexpr auto kNames = std::to_array<std::pair<std::uint64_t, const char*>>({
      {MOUNT_ATTR_RDONLY, "ro"},
      {MOUNT_ATTR_NOSUID, "nosuid"},
      {MOUNT_ATTR_NODEV, "nodev"},
      {MOUNT_ATTR_NOEXEC, "noexec"},
      {MOUNT_ATTR__ATIME, "its access time mode"},
      {MOUNT_ATTR_NODIRATIME, "nodiratime"},
      {MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow"},
  });
  std::string names;
  for (const auto& [bits, name] : kNames) {
    if ((attributes & bits) == bits) {
      names += names.empty() ? "" : ",";
      names += name;
    }
  }
  return names;
}

}  // namespace berth::rootfs
