#include "rootfs/host_kernel_mounts.hpp"

#include <berth/sys/file.hpp>
#include <berth/sys/mount.hpp>

#include <fcntl.h>

#include <cerrno>
#include <cstddef>
#include <utility>

namespace berth::rootfs {
namespace {

constexpr std::size_t kMountinfoLimit = std::size_t{64} << 20U;

// Takes the text up to the next separator off the front.
std::string_view take(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return part;
}

// Space, tab, newline and backslash are written as \ooo.
std::string unescape(std::string_view text) {
  constexpr std::size_t kEscapeLength = 4;
  const auto is_octal = [](char digit) { return digit >= '0' && digit <= '7'; };
  std::string plain;
  while (!text.empty()) {
    if (text.size() >= kEscapeLength && text[0] == '\\' && is_octal(text[1]) && is_octal(text[2]) &&
        is_octal(text[3])) {
      plain += static_cast<char>((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
      text.remove_prefix(kEscapeLength);
    } else {
      plain += text.front();
      text.remove_prefix(1);
    }
  }
  return plain;
}

Status cover(int mount) {
  const sys::UniqueFd context = TRY(sys::fs_open("tmpfs"));
  TRY(sys::fs_create(context.get(), "tmpfs"));
  const sys::UniqueFd empty = TRY(sys::fs_mount(context.get(), MOUNT_ATTR_RDONLY, "tmpfs"));
  return sys::move_mount(empty.get(), mount, "a mount of the host");
}

}  // namespace

std::vector<std::string> whole_kernel_mounts(std::string_view mountinfo) {
  std::vector<std::string> mount_points;
  while (!mountinfo.empty()) {
    std::string_view line = take(mountinfo, '\n');
    constexpr int kFieldsBeforeRoot = 3;  // mount id, parent id, major:minor
    for (int field = 0; field < kFieldsBeforeRoot; ++field) {
      take(line, ' ');
    }
    const std::string_view root = take(line, ' ');
    const std::string_view mount_point = take(line, ' ');
    const std::size_t separator = line.find(" - ");
    if (root != "/" || separator == std::string_view::npos) {
      continue;
    }
    line.remove_prefix(separator + 3);
    const std::string_view type = take(line, ' ');
    if (type == "proc" || type == "sysfs") {
      mount_points.push_back(unescape(mount_point));
    }
  }
  return mount_points;
}

Result<std::vector<sys::UniqueFd>> open_host_kernel_mounts(const path::ProcDir& proc) {
  std::vector<sys::UniqueFd> mounts;
  for (const std::string& mount_point : whole_kernel_mounts(TRY(proc.read("self/mountinfo", kMountinfoLimit)))) {
    auto mount = sys::open_at(AT_FDCWD, mount_point, O_PATH | O_DIRECTORY);
    // Another mount hides this one's place: no path leads to it.
    if (!mount && mount.error().is(ENOENT)) {
      continue;
    }
    mounts.push_back(TRY(std::move(mount)));
  }
  return mounts;
}

Status detach_host_kernel_mounts(const std::vector<sys::UniqueFd>& mounts) {
  for (const sys::UniqueFd& mount : mounts) {
    TRY(sys::enter_directory(mount.get(), "a mount of the host"));
    auto detached = sys::detach_mount(".");
    if (!detached) {
      // EINVAL: locked, or no mount's root (another is on top of it); EPERM: not this user namespace's to take away.
      if (!detached.error().is(EINVAL) && !detached.error().is(EPERM)) {
        return detached;
      }
      TRY(cover(mount.get()));
    }
  }
  return {};
}

}  // namespace berth::rootfs
