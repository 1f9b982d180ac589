#pragma once

#include <string>
#include <string_view>

namespace berth::plan {

/// An absolute path without empty and "." components, without a slash at its end (but "/" itself), and with ".."
/// resolved by text against "/". A name for the object, never the way to open it.
[[nodiscard]] std::string clean_path(std::string_view path);

/// `path` if it is absolute, else `path` below `base`; clean.
[[nodiscard]] std::string join_path(std::string_view base, std::string_view path);

/// Whether one of the components is "..".
[[nodiscard]] bool has_parent_component(std::string_view path);

}  // namespace berth::plan
