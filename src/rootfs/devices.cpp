#include "rootfs/devices.hpp"

#include <berth/sys/file.hpp>
#include <berth/sys/mount.hpp>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <utility>

namespace berth::rootfs {
namespace {

constexpr mode_t kParentMode = 0755;

mode_t file_type(const plan::Device& device) {
  switch (device.type) {
    case 'b':
      return S_IFBLK;
    case 'p':
      return S_IFIFO;
    default:
      return S_IFCHR;
  }
}

dev_t number(const plan::Device& device) {
  return device.type == 'p' ? 0 : ::makedev(device.major, device.minor);
}

std::string describe(const plan::Device& device) {
  return device.type == 'p' ? std::string("a pipe")
                            : fmt::format("the device {} {}:{}", device.type, device.major, device.minor);
}

// A node is known by its type and number together: a number alone fits a regular file too (CVE-2026-88265).
bool is_device(const struct stat& status, const plan::Device& device) {
  return (status.st_mode & S_IFMT) == file_type(device) && status.st_rdev == number(device);
}

// linux.devices may name /dev/ptmx, but a container has the one of its own devpts.
bool is_made_as_link(const plan::Device& device) {
  return path::clean(device.path) == "/dev/ptmx";
}

Result<sys::UniqueFd> open_entry(int directory, const std::string& name, const std::string& shown) {
  open_how how{};
  how.flags = static_cast<unsigned>(O_PATH | O_NOFOLLOW);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  return sys::open_at2(directory, name, how, "<rootfs>" + shown);
}

Result<sys::UniqueFd> open_verified(int directory, const std::string& name, const plan::Device& device) {
  sys::UniqueFd node = TRY(open_entry(directory, name, device.path));
  if (!is_device(TRY(sys::stat_fd(node.get(), device.path)), device)) {
    return fail(ErrorKind::kSystem, "<rootfs>{} exists and is not {}", device.path, describe(device));
  }
  return node;
}

// EPERM: no right to make nodes here.
Status make_node(int directory, const std::string& name, const plan::Device& device) {
  auto made = sys::make_node(directory, name, file_type(device) | device.mode, number(device));
  if (!made && !made.error().is(EEXIST)) {
    return sys_fail(made.error().errnum(), "mknod(<rootfs>{})", device.path);
  }
  if (made && device.uid == 0 && device.gid == 0) {
    return {};
  }
  const sys::UniqueFd node = TRY(open_verified(directory, name, device));
  return made ? sys::change_owner(node.get(), device.uid, device.gid, device.path) : Status();
}

Status bind_node(int directory, const std::string& name, const plan::Device& device, int tree) {
  auto made = sys::make_node(directory, name, S_IFREG, 0);
  if (!made && !made.error().is(EEXIST)) {
    return sys_fail(made.error().errnum(), "mknod(<rootfs>{})", device.path);
  }
  const sys::UniqueFd target = TRY(open_entry(directory, name, device.path));
  if (!made) {
    const struct stat status = TRY(sys::stat_fd(target.get(), device.path));
    if (is_device(status, device)) {
      return {};
    }
    if (S_ISLNK(status.st_mode)) {
      return fail(ErrorKind::kSystem, "<rootfs>{} is a symbolic link and not {}", device.path, describe(device));
    }
  }
  return sys::move_mount(tree, target.get(), device.path);
}

Status make_device(int directory, const std::string& name, const plan::Device& device, const sys::UniqueFd* source) {
  if (source != nullptr && source->valid()) {
    return bind_node(directory, name, device, source->get());
  }
  auto made = make_node(directory, name, device);
  if (!made && made.error().is(EPERM)) {
    const sys::UniqueFd tree = TRY(open_host_device(device));
    return bind_node(directory, name, device, tree.get());
  }
  return made;
}

Status make_link(int directory, const std::string& name, const std::string& target) {
  auto made = sys::symlink_at(target, directory, name);
  // The image's own entry stays, whatever it is: nothing of the runtime goes through it.
  return !made && made.error().is(EEXIST) ? Status() : made;
}

Status make_ptmx_link(int directory) {
  constexpr const char* kTarget = "pts/ptmx";
  auto made = sys::symlink_at(kTarget, directory, "ptmx");
  if (made || !made.error().is(EEXIST)) {
    return made;
  }
  const auto present = sys::read_link(directory, "ptmx");
  if (present && *present == kTarget) {
    return {};
  }
  // A node of the host's instance of devpts would reach its terminals.
  TRY(sys::unlink_at(directory, "ptmx"));
  return sys::symlink_at(kTarget, directory, "ptmx");
}

Status make_links(const path::RootDir& root, int dev) {
  static constexpr auto kLinks = std::to_array<std::pair<const char*, const char*>>({
      {"fd", "/proc/self/fd"},
      {"stdin", "/proc/self/fd/0"},
      {"stdout", "/proc/self/fd/1"},
      {"stderr", "/proc/self/fd/2"},
  });
  for (const auto& [name, target] : kLinks) {
    TRY(make_link(dev, name, target));
  }
  if (root.open("/proc/kcore", O_PATH)) {
    TRY(make_link(dev, "core", "/proc/kcore"));
  }
  return make_ptmx_link(dev);
}

// The name of a device that is in /dev itself; "" for one elsewhere.
std::string entry_of_dev(const plan::Device& device) {
  constexpr std::string_view kDev = "/dev/";
  const std::string cleaned = path::clean(device.path);
  const bool direct = cleaned.starts_with(kDev) && cleaned.find('/', kDev.size()) == std::string::npos;
  return direct ? cleaned.substr(kDev.size()) : std::string();
}

}  // namespace

bool fills_dev(const plan::Rootfs& plan) {
  return std::ranges::none_of(plan.mounts, [](const plan::Mount& mount) {
    return mount.kind == plan::MountKind::kBind && path::clean(mount.destination) == "/dev";
  });
}

bool may_make_nodes(int directory, const std::vector<plan::Device>& devices) {
  const std::string name = "tried";
  constexpr unsigned kMemoryDevices = 1;  // null and its like: who may make one may make all
  bool memory_tried = false;
  return std::ranges::all_of(devices, [&](const plan::Device& device) {
    if (is_made_as_link(device) || device.type == 'p') {
      return true;
    }
    const bool is_memory = device.type == 'c' && device.major == kMemoryDevices;
    if (is_memory && std::exchange(memory_tried, true)) {
      return true;
    }
    return path::clean(device.path).starts_with("/dev/") &&
           sys::make_node(directory, name, file_type(device) | device.mode, number(device)) &&
           sys::unlink_at(directory, name);
  });
}

Result<sys::UniqueFd> open_host_device(const plan::Device& device) {
  if (device.type == 'p' || is_made_as_link(device)) {
    return sys::UniqueFd();
  }
  // udev has a link to each of the host's devices by its number, for those that the container has at another path.
  const std::string by_number =
      fmt::format("/dev/{}/{}:{}", device.type == 'b' ? "block" : "char", device.major, device.minor);
  for (const std::string& path : {device.path, by_number}) {
    const auto node = sys::open_at(AT_FDCWD, path, O_PATH);
    if (node && is_device(TRY(sys::stat_fd(node->get(), path)), device)) {
      return sys::open_tree(node->get(), "", OPEN_TREE_CLONE, path);
    }
  }
  return fail(ErrorKind::kSystem, "neither {} nor {} of the host is {}, and this process may not make one", device.path,
              by_number, describe(device));
}

Status fill_dev(const path::RootDir& root, const std::vector<plan::Device>& devices,
                std::span<const sys::UniqueFd> sources) {
  const sys::UniqueFd dev = TRY(root.make_directories("/dev", kParentMode));
  for (std::size_t index = 0; index < devices.size(); ++index) {
    const plan::Device& device = devices[index];
    const sys::UniqueFd* source = sources.empty() ? nullptr : &sources[index];
    if (is_made_as_link(device)) {
      continue;
    }
    // Nearly all are in /dev itself, which is looked up once for them.
    const std::string entry = entry_of_dev(device);
    if (!entry.empty()) {
      TRY(make_device(dev.get(), entry, device, source));
      continue;
    }
    const auto parent = TRY(root.make_parent(device.path, kParentMode));
    TRY(make_device(parent.directory.get(), parent.name, device, source));
  }
  return make_links(root, dev.get());
}

}  // namespace berth::rootfs
