#include <berth/plan/lower.hpp>

#include <charconv>

#include "plan/clean_path.hpp"
#include "plan/hook_names.hpp"
#include "plan/lowering.hpp"

namespace berth::plan {
namespace {

using spec::Problems;
using spec::quoted;

// Takes a decimal number without leading zeros off the front.
std::optional<unsigned> take_number(std::string_view& text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto length = static_cast<std::size_t>(end - text.data());
  if (error != std::errc() || (length > 1 && text.front() == '0')) {
    return std::nullopt;
  }
  text.remove_prefix(length);
  return number;
}

// The major number of MAJOR.MINOR.PATCH with an optional -PRERELEASE or +BUILD (semver.org 2.0).
std::optional<unsigned> major_version(std::string_view text) {
  const std::optional<unsigned> major = take_number(text);
  for (int part = 0; part < 2; ++part) {
    if (!text.starts_with('.')) {
      return std::nullopt;
    }
    text.remove_prefix(1);
    if (!take_number(text)) {
      return std::nullopt;
    }
  }
  const bool plain = text.find_first_not_of("-+.abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") ==
                     std::string_view::npos;
  const bool suffix = text.size() > 1 && (text.front() == '-' || text.front() == '+') && plain;
  return text.empty() || suffix ? major : std::nullopt;
}

void lower_version(Lowering& lowering) {
  const std::string& version = lowering.config.oci_version;
  // The specification's releases before 1.0 have the same properties; its own example still says 0.5.0-dev.
  const std::optional<unsigned> major = major_version(version);
  if (!major || *major > 1) {
    lowering.problems.add("/ociVersion", quoted(version), "a version of the specification up to 1.x, as 1.3.0");
  }
  lowering.plan.oci_version = version;
}

// A configuration without `linux` that has another system's block was made for that system.
Status check_platform(const spec::Config& config) {
  if (config.linux || config.other_platforms.empty()) {
    return {};
  }
  Problems problems;
  problems.add("/" + config.other_platforms.front(), "a configuration for another system",
               "one for Linux, with /linux");
  return std::unexpected(problems.error());
}

void lower_hooks(Lowering& lowering) {
  for (const HookStage& stage : kHookStages) {
    std::vector<Hook>& plan = lowering.plan.hooks.*stage.plan;
    plan = lowering.config.hooks.*stage.config;
    for (std::size_t index = 0; index < plan.size(); ++index) {
      const auto pointer = [&](std::string_view name) {
        return fmt::format("/hooks/{}/{}/{}", stage.name, index, name);
      };
      if (!plan[index].path.starts_with('/')) {
        lowering.problems.add(pointer("path"), quoted(plan[index].path), "an absolute path");
      }
      if (plan[index].timeout && *plan[index].timeout <= std::chrono::seconds(0)) {
        lowering.problems.add(pointer("timeout"), fmt::format("{}", plan[index].timeout->count()), "at least 1 second");
      }
    }
  }
}

void lower_cgroups_path(Lowering& lowering) {
  const std::string& path = lowering.linux.cgroups_path;
  if (has_parent_component(path)) {
    lowering.problems.add("/linux/cgroupsPath", quoted(path), "a path without ..");
  }
  lowering.plan.cgroups_path = path;
}

}  // namespace

Result<ContainerPlan> lower(const spec::Config& config, const std::string& bundle, const HostFacts& facts) {
  static const spec::Linux kNoLinux;
  TRY(check_platform(config));
  Problems problems;
  ContainerPlan plan;
  Lowering lowering{config, config.linux ? *config.linux : kNoLinux, bundle, facts, problems, plan};
  lower_version(lowering);
  lower_namespaces(lowering);
  lower_sysctls(lowering);
  lower_mounts(lowering);
  lower_devices(lowering);
  lower_process(lowering);
  lower_execution_domain(lowering);
  lower_seccomp(lowering);
  lower_cgroups_path(lowering);
  lower_resources(lowering);
  lower_net_devices(lowering);
  lower_intel_rdt(lowering);
  lower_hooks(lowering);
  lower_annotations(lowering);
  if (!problems.empty()) {
    return std::unexpected(problems.error());
  }
  return plan;
}

Result<ContainerPlan> lower_exec(const spec::Config& config, const HostFacts& facts) {
  static const spec::Linux kNoLinux;
  static const std::string kNoBundle;
  Problems problems;
  ContainerPlan plan;
  Lowering lowering{config, config.linux ? *config.linux : kNoLinux, kNoBundle, facts, problems, plan};
  lower_namespaces(lowering);
  lower_process(lowering);
  lower_execution_domain(lowering);
  lower_seccomp(lowering);
  lower_intel_rdt(lowering);
  if (!problems.empty()) {
    return std::unexpected(problems.error());
  }
  return plan;
}

}  // namespace berth::plan
