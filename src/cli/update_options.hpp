// `update`: from its options or a document to the limits that are to change.
#pragma once

#include <berth/base/error.hpp>
#include <berth/spec/config.hpp>

#include <array>
#include <string>
#include <string_view>

namespace berth::cli {

/// An option of `update` that sets one limit from its text.
struct LimitOption {
  const char* name;
  const char* description;
  bool hidden;
  Status (*set)(spec::Resources& resources, const std::string& text);
};
inline constexpr std::size_t kLimitOptionCount = 18;
extern const std::array<LimitOption, kLimitOptionCount> kLimitOptions;

struct UpdateOptions {
  std::string document;  ///< --resources: a file, "-" for stdin; then the others count for nothing, as in runc
  std::array<std::string, kLimitOptionCount> limits;  ///< text of each option, in the order of kLimitOptions
};

Result<spec::Resources> read_update(const UpdateOptions& options);

}  // namespace berth::cli
