// Extended attributes (xattr(7)), of descriptors that are not O_PATH.
#pragma once

#include <berth/base/error.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace berth::sys {

/// flistxattr(2): the names. None where the file system has no attributes.
Result<std::vector<std::string>> list_attributes(int fd, std::string_view name);
/// fgetxattr(2).
Result<std::string> get_attribute(int fd, const std::string& attribute, std::string_view name);

}  // namespace berth::sys
