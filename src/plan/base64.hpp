#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace berth::plan {

/// The bytes of a base64 text (RFC 4648, with its padding); nothing if it is none.
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);

}  // namespace berth::plan
