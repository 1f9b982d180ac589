#include <sched.h>
#include <sys/stat.h>

#include <algorithm>

#include "plan/clean_path.hpp"
#include "plan/lowering.hpp"

namespace berth::plan {
namespace {

using spec::quoted;

// The kernel's dev_t has 12 bits for the major and 20 for the minor number.
constexpr std::int64_t kMaxMajor = (1 << 12) - 1;
constexpr std::int64_t kMaxMinor = (1 << 20) - 1;
constexpr mode_t kDefaultMode = 0666;
constexpr mode_t kPermissions = 07777;

// "Default Devices" of the specification; /dev/console and /dev/ptmx are made with the terminal and devpts.
std::vector<Device> default_devices() {
  return {{"/dev/null", 'c', 1, 3, kDefaultMode, 0, 0},    {"/dev/zero", 'c', 1, 5, kDefaultMode, 0, 0},
          {"/dev/full", 'c', 1, 7, kDefaultMode, 0, 0},    {"/dev/random", 'c', 1, 8, kDefaultMode, 0, 0},
          {"/dev/urandom", 'c', 1, 9, kDefaultMode, 0, 0}, {"/dev/tty", 'c', 5, 0, kDefaultMode, 0, 0}};
}

bool same_node(const Device& left, const Device& right) {
  return left.type == right.type && left.major == right.major && left.minor == right.minor;
}

std::uint32_t lower_number(Lowering& lowering, const std::optional<std::int64_t>& number, std::int64_t maximum,
                           const std::string& pointer) {
  if (!number || *number < 0 || *number > maximum) {
    lowering.problems.add(pointer, number ? fmt::format("{}", *number) : "nothing",
                          fmt::format("an integer from 0 to {}", maximum));
    return 0;
  }
  return static_cast<std::uint32_t>(*number);
}

Device lower_device(Lowering& lowering, std::size_t index) {
  const spec::Device& entry = lowering.linux.devices[index];
  const auto pointer = [&](std::string_view name) { return fmt::format("/linux/devices/{}/{}", index, name); };
  Device device;
  device.path = clean_path(entry.path);
  device.uid = entry.uid.value_or(0);
  device.gid = entry.gid.value_or(0);
  // dockerd writes the whole st_mode, with the type's bits.
  device.mode = entry.file_mode.value_or(kDefaultMode) & kPermissions;
  if (!entry.path.starts_with('/') || device.path == "/") {
    lowering.problems.add(pointer("path"), quoted(entry.path), "an absolute path");
  }
  if (entry.file_mode && (*entry.file_mode & ~(mode_t{S_IFMT} | kPermissions)) != 0) {
    lowering.problems.add(pointer("fileMode"), fmt::format("{}", *entry.file_mode), "file permissions");
  }
  if (entry.type.size() != 1 || std::string_view("cubp").find(entry.type) == std::string_view::npos) {
    lowering.problems.add(pointer("type"), quoted(entry.type), "one of c, u, b, p");
    return device;
  }
  device.type = entry.type == "u" ? 'c' : entry.type.front();
  if (device.type != 'p') {
    device.major = lower_number(lowering, entry.major, kMaxMajor, pointer("major"));
    device.minor = lower_number(lowering, entry.minor, kMaxMinor, pointer("minor"));
  }
  return device;
}

}  // namespace

void lower_devices(Lowering& lowering) {
  std::vector<Device>& devices = lowering.plan.rootfs.devices;
  if (!lowering.plan.namespaces.has(CLONE_NEWNS)) {
    if (!lowering.linux.devices.empty()) {
      lowering.problems.add("/linux/devices", "devices", "a mount namespace in /linux/namespaces");
    }
    return;
  }
  devices = default_devices();
  const std::size_t defaults = devices.size();
  for (std::size_t index = 0; index < lowering.linux.devices.size(); ++index) {
    Device device = lower_device(lowering, index);
    if (device.path == "/dev/ptmx") {
      continue;  // always the container's own: a link into its devpts
    }
    const auto other = std::ranges::find(devices, device.path, &Device::path);
    if (other == devices.end()) {
      devices.push_back(std::move(device));
    } else if (static_cast<std::size_t>(other - devices.begin()) < defaults) {
      *other = std::move(device);
    } else if (!same_node(*other, device)) {  // dockerd lists one twice that two of its options ask for
      lowering.problems.add(fmt::format("/linux/devices/{}/path", index), quoted(device.path) + " again",
                            "one device at a path");
    }
  }
}

}  // namespace berth::plan
