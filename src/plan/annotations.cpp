#include "plan/lowering.hpp"

namespace berth::plan {
namespace {

// An annotation whose value is a path of the host.
void lower_path(Lowering& lowering, const char* name, std::string& plan) {
  const std::string* path = annotation(lowering, name);
  if (path == nullptr) {
    return;
  }
  if (!path->starts_with('/')) {
    lowering.problems.add("/annotations" + spec::pointer_step(name), spec::quoted(*path), "an absolute path");
  }
  plan = *path;
}

// An annotation whose value is the name of a cgroup below another.
std::string lower_cgroup_name(Lowering& lowering, const char* name) {
  const std::string* value = annotation(lowering, name);
  if (value == nullptr) {
    return "";
  }
  if (value->starts_with('.') || value->starts_with("cgroup.") || value->find('/') != std::string::npos ||
      one_line(*value) != *value) {
    lowering.problems.add("/annotations" + spec::pointer_step(name), spec::quoted(*value), "the name of one cgroup");
  }
  return *value;
}

}  // namespace

const std::string* annotation(const Lowering& lowering, const char* name) {
  const auto found = lowering.config.annotations.find(name);
  return found == lowering.config.annotations.end() ? nullptr : &found->second;
}

void lower_annotations(Lowering& lowering) {
  if (lowering.config.annotations.contains("")) {
    lowering.problems.add("/annotations/", "an empty name", "annotations with names");
  }
  ContainerPlan& plan = lowering.plan;
  plan.annotations = lowering.config.annotations;
  lower_path(lowering, "run.oci.hooks.stdout", plan.hooks.output);
  lower_path(lowering, "run.oci.hooks.stderr", plan.hooks.errors);
  lower_path(lowering, "run.oci.pidfd_receiver", plan.pidfd_receiver);
  static_cast<void>(lower_cgroup_name(lowering, "run.oci.systemd.subgroup"));  // used by cgroup::place()
  plan.delegate_cgroup = lower_cgroup_name(lowering, "run.oci.delegate-cgroup");
  // crun takes it for set whatever its value is.
  plan.process.user.keep_groups = annotation(lowering, "run.oci.keep_original_groups") != nullptr;
}

}  // namespace berth::plan
