// Configurations for the tests: a good one with some members added.
#pragma once

#include <berth/plan/lower.hpp>
#include <berth/spec/parse.hpp>

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace berth::plan {

/// JSON members that a test adds, each part without braces.
struct Parts {
  std::string top = {};
  std::string process = {};
  std::string linux_block = {};
  std::string namespaces = R"({"type": "mount"}, {"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"},
                              {"type": "cgroup"})";
};

inline std::string config_text(const Parts& parts) {
  const auto comma = [](const std::string& members) { return members.empty() ? "" : ", " + members; };
  return R"({"ociVersion": "1.3.0", "root": {"path": "rootfs"})" + comma(parts.top) +
         R"(, "process": {"cwd": "/", "args": ["sh"])" + comma(parts.process) + R"(}, "linux": {"namespaces": [)" +
         parts.namespaces + "]" + comma(parts.linux_block) + "}}";
}

inline Result<ContainerPlan> lower_text(std::string_view text, const HostFacts& facts = {}) {
  return lower(TRY(spec::parse_config(text)), "/bundle", facts);
}

/// The plan of a good configuration; a bad one ends the test.
inline ContainerPlan plan_of(const Parts& parts, const HostFacts& facts = {}) {
  Result<ContainerPlan> plan = lower_text(config_text(parts), facts);
  if (!plan) {
    throw std::runtime_error(plan.error().message());
  }
  return *std::move(plan);
}

/// The error of a bad configuration; empty for a good one.
inline std::string error_of(const Parts& parts, const HostFacts& facts = {}) {
  const Result<ContainerPlan> plan = lower_text(config_text(parts), facts);
  return plan ? "" : plan.error().message();
}

}  // namespace berth::plan
