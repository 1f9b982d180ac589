// `update`: from its options or a document to the limits that are to change.
#pragma once

#include <berth/base/error.hpp>
#include <berth/spec/config.hpp>

#include <array>
#include <string>
#include <string_view>

namespace berth::cli {

/// What is to change, as the configuration writes it.
struct UpdateDocument {
  spec::Resources resources;
  spec::IntelRdt intel_rdt;
  std::string oci_version;  ///< "" where the resources are a document's
};

/// An option of `update` that sets one limit from its text.
struct LimitOption {
  const char* name;
  const char* description;
  bool hidden;
  Status (*set)(UpdateDocument& update, const std::string& text);
};
inline constexpr std::size_t kLimitOptionCount = 18;
extern const std::array<LimitOption, kLimitOptionCount> kLimitOptions;

struct UpdateOptions {
  std::string document;  ///< --resources: a file, "-" for stdin; it is the resources then, whatever the options say
  std::array<std::string, kLimitOptionCount> limits;  ///< text of each option, in the order of kLimitOptions
};

Result<UpdateDocument> read_update(const UpdateOptions& options);

}  // namespace berth::cli
