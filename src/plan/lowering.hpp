// The parts of lower(): each validates and translates one subject of the configuration.
#pragma once

#include <berth/plan/container_plan.hpp>
#include <berth/plan/lower.hpp>
#include <berth/spec/problems.hpp>

#include <string>
#include <string_view>

namespace berth::plan {

/// What every part works on: from `config` to `plan`, with the errors in `problems`. A part never stops at an error; a
/// plan that had one is thrown away.
struct Lowering {
  const spec::Config& config;
  const spec::Linux& linux;  ///< config.linux, or an empty one
  const std::string& bundle;
  const HostFacts& facts;
  spec::Problems& problems;
  ContainerPlan& plan;
};

void lower_namespaces(Lowering& lowering);
// Those below look at plan.namespaces.
void lower_sysctls(Lowering& lowering);
void lower_mounts(Lowering& lowering);
void lower_devices(Lowering& lowering);
void lower_process(Lowering& lowering);
void lower_scheduling(Lowering& lowering, const spec::Process& process);
void lower_capabilities(Lowering& lowering, const spec::Capabilities& capabilities);
/// linux.personality and linux.memoryPolicy.
void lower_execution_domain(Lowering& lowering);
void lower_seccomp(Lowering& lowering);
void lower_resources(Lowering& lowering);
void lower_net_devices(Lowering& lowering);
void lower_intel_rdt(Lowering& lowering);
/// The annotations, and what those of crun's run.oci.* family mean that belong to no other part.
void lower_annotations(Lowering& lowering);
/// The value of an annotation, or nullptr.
[[nodiscard]] const std::string* annotation(const Lowering& lowering, const char* name);

}  // namespace berth::plan
