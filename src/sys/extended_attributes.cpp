#include <berth/sys/extended_attributes.hpp>

#include <linux/limits.h>
#include <sys/xattr.h>

#include <cerrno>

namespace berth::sys {

Result<std::vector<std::string>> list_attributes(int fd, std::string_view name) {
  std::vector<std::string> names;
  const ssize_t needed = ::flistxattr(fd, nullptr, 0);
  if (needed < 0 && errno != EOPNOTSUPP) {
    return sys_fail(errno, "listxattr({})", name);
  }
  if (needed <= 0) {
    return names;
  }
  std::string list(XATTR_LIST_MAX, '\0');
  const ssize_t length = ::flistxattr(fd, list.data(), list.size());
  if (length < 0) {
    return sys_fail(errno, "listxattr({})", name);
  }
  list.resize(static_cast<std::size_t>(length));
  for (std::size_t begin = 0; begin < list.size(); begin += names.back().size() + 1) {
    names.emplace_back(list.c_str() + begin);
  }
  return names;
}

Result<std::string> get_attribute(int fd, const std::string& attribute, std::string_view name) {
  std::string value(XATTR_SIZE_MAX, '\0');
  const ssize_t length = ::fgetxattr(fd, attribute.c_str(), value.data(), value.size());
  if (length < 0) {
    return sys_fail(errno, "getxattr({}, {})", name, attribute);
  }
  value.resize(static_cast<std::size_t>(length));
  return value;
}

}  // namespace berth::sys
