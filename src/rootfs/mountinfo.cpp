#include "rootfs/mountinfo.hpp"

#include <charconv>
#include <utility>

namespace berth::rootfs {
namespace {

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

bool take_number(std::string_view& line, std::uint64_t& number) {
  const std::string_view field = take(line, ' ');
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), number);
  return error == std::errc() && end == field.data() + field.size();
}

}  // namespace

std::vector<MountInfo> parse_mountinfo(std::string_view text) {
  std::vector<MountInfo> mounts;
  while (!text.empty()) {
    std::string_view line = take(text, '\n');
    MountInfo mount;
    if (!take_number(line, mount.id) || !take_number(line, mount.parent)) {
      continue;
    }
    take(line, ' ');  // major:minor
    mount.root = unescape(take(line, ' '));
    mount.mount_point = unescape(take(line, ' '));
    const std::size_t separator = line.find(" - ");
    if (separator == std::string_view::npos) {
      continue;
    }
    std::string_view fields = line.substr(0, separator);
    const std::string_view options = take(fields, ' ');
    mount.readonly = options == "ro" || options.starts_with("ro,");
    mount.shared = fields.starts_with("shared:") || fields.find(" shared:") != std::string_view::npos;
    line.remove_prefix(separator + 3);
    mount.type = take(line, ' ');
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

bool is_kernel_file_system(std::string_view type) {
  return type == "proc" || type == "sysfs";
}

}  // namespace berth::rootfs
