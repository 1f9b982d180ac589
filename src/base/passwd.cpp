#include <berth/base/passwd.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>

namespace berth {
namespace {

template <class Number>
bool read_number(std::string_view text, Number& number) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

std::optional<PasswdEntry> read_line(std::string_view line) {
  std::array<std::string_view, 7> fields{};
  for (std::string_view& field : fields) {
    field = line.substr(0, line.find(':'));
    line.remove_prefix(std::min(line.size(), field.size() + 1));
  }
  PasswdEntry entry{.name = fields[0], .home = fields[5]};
  if (entry.name.empty() || !read_number(fields[2], entry.uid) || !read_number(fields[3], entry.gid)) {
    return std::nullopt;
  }
  return entry;
}

template <class Matches>
std::optional<PasswdEntry> find(std::string_view passwd, Matches matches) {
  while (!passwd.empty()) {
    const std::string_view line = passwd.substr(0, passwd.find('\n'));
    passwd.remove_prefix(std::min(passwd.size(), line.size() + 1));
    if (const auto entry = read_line(line); entry && matches(*entry)) {
      return entry;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<PasswdEntry> find_user_by_name(std::string_view passwd, std::string_view name) {
  return find(passwd, [name](const PasswdEntry& entry) { return entry.name == name; });
}

std::optional<PasswdEntry> find_user_by_id(std::string_view passwd, uid_t uid) {
  return find(passwd, [uid](const PasswdEntry& entry) { return entry.uid == uid; });
}

}  // namespace berth
