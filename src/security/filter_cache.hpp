// Compiled filters of earlier containers, so that a profile is compiled once.
//
// A directory with a fixed number of slots. The key is all that the filter depends on and is kept beside it: a slot
// whose key is not the very same is of no use, so that no two profiles can be taken for each other, whoever wrote them.
#pragma once

#include <berth/plan/container_plan.hpp>

#include <linux/filter.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace berth::security {

/// All of a profile that its instructions depend on, and what of this program does.
std::string filter_key(const plan::Seccomp& seccomp);

class FilterCache {
 public:
  /// `directory` is made when something is kept; empty: there is no cache.
  explicit FilterCache(std::string directory) : directory_(std::move(directory)) {}

  /// Nothing where the filter was not kept, or in what could have been written by somebody else.
  [[nodiscard]] std::optional<std::vector<sock_filter>> find(std::string_view key) const;
  /// Takes the place of another profile's filter if need be. A failure costs the next container a compilation, and is
  /// for the debug log only.
  void keep(std::string_view key, std::span<const sock_filter> filter) const;

 private:
  std::string directory_;
};

}  // namespace berth::security
