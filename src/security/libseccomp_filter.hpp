// The filter of libseccomp, with its errors told.
#pragma once

#include <berth/base/error.hpp>

#include <linux/filter.h>
#include <seccomp.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "security/system_calls.hpp"

namespace berth::security {

class LibseccompFilter {
 public:
  /// A filter of these interfaces (at least one) that answers every call with `default_action` (SCMP_ACT_*).
  static Result<LibseccompFilter> create(std::uint32_t default_action, std::span<const Abi> abis);

  /// `number` is of the native architecture, or libseccomp's pseudo number of a call that this one lacks. The rule is
  /// added for every architecture that has the call; all `arguments` must match, each of another index.
  Status add_rule(std::string_view name, int number, std::uint32_t action, std::span<const scmp_arg_cmp> arguments);
  /// Takes over the rules of a filter with the same default action and none of this one's interfaces.
  Status merge(LibseccompFilter other);
  [[nodiscard]] Result<std::vector<sock_filter>> compile() const;

 private:
  struct Release {
    void operator()(void* context) const { ::seccomp_release(context); }
  };
  explicit LibseccompFilter(scmp_filter_ctx context) : context_(context) {}
  std::unique_ptr<void, Release> context_;
};

}  // namespace berth::security
