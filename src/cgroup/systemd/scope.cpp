#include "cgroup/systemd/scope.hpp"

#include <unistd.h>

#include "cgroup/systemd/bus.hpp"
#include "cgroup/systemd/unit_name.hpp"
#include "cgroup/systemd/unit_properties.hpp"

namespace berth::cgroup::systemd {
namespace {

constexpr const char* kSubgroupAnnotation = "run.oci.systemd.subgroup";
constexpr const char* kUnitExists = "org.freedesktop.systemd1.UnitExists";
constexpr const char* kNoSuchUnit = "org.freedesktop.systemd1.NoSuchUnit";

// Leaves a unit alone that has not failed; systemd then refuses, which is no error here.
void forget_failed(Bus& bus, const Unit& unit) {
  static_cast<void>(bus.call("ResetFailedUnit", BusArguments().add(unit.name)));
}

Error explain_start(CallError refused, const Unit& unit) {
  Error error = std::move(refused.error);
  if (refused.name == kUnitExists) {
    error.set_kind(ErrorKind::kExists);
    error.add_hint("choose another cgroupsPath, or stop that unit");
  }
  error.add_context("start unit " + unit.name);
  return error;
}

// The plan has checked that it is a name.
std::string subgroup(const std::map<std::string, std::string>& annotations) {
  const auto found = annotations.find(kSubgroupAnnotation);
  return found == annotations.end() || found->second.empty() ? "" : "/" + found->second;
}

}  // namespace

Result<Placement> place_scope(const std::string& cgroups_path, const std::string& id, bool user,
                              const std::map<std::string, std::string>& annotations) {
  const ScopeName name = TRY(parse_scope_name(cgroups_path, id, user));
  Unit unit{.name = name.unit,
            .user = user,
            .slice = name.slice,
            .description = "berth container " + id,
            .annotations = annotations};
  TRY(annotated_properties(annotations));
  Bus bus = TRY(Bus::connect(user));
  const std::string own = TRY(bus.manager_property("ControlGroup"));
  return Placement{.manager = Manager::kSystemd,
                   .path = own + TRY(slice_path(name.slice)) + "/" + cgroup_name(name.unit) + subgroup(annotations),
                   .directories = {},
                   .unit = std::move(unit)};
}

std::string below_unit(const Placement& placement) {
  const std::string own = "/" + cgroup_name(placement.unit->name);
  return placement.path.substr(placement.path.rfind(own) + own.size());
}

Result<sys::Child> start_placeholder() {
  auto cloned = TRY_CONTEXT(sys::clone_process(0, -1), "start a process for systemd's scope");
  if (!cloned) {
    const pid_t parent = ::getppid();
    if (sys::die_with_parent() && parent == ::getppid()) {
      static_cast<void>(sys::poll_events({}, std::chrono::milliseconds(-1)));
    }
    ::_exit(0);
  }
  return sys::Child(std::move(*cloned));
}

Status start_scope(const Placement& placement, pid_t pid) {
  const Unit& unit = *placement.unit;
  std::vector<UnitProperty> properties{
      {"Description", unit.description},
      {"Slice", unit.slice},
      {"PIDs", std::vector<std::uint32_t>{static_cast<std::uint32_t>(pid)}},
      {"Delegate", true},
      {"DefaultDependencies", false},
      {"MemoryAccounting", true},
      {"CPUAccounting", true},
      {"IOAccounting", true},
      {"TasksAccounting", true},
  };
  for (UnitProperty& property : TRY(annotated_properties(unit.annotations))) {
    properties.push_back(std::move(property));
  }
  Bus bus = TRY(Bus::connect(unit.user));
  const BusArguments arguments = BusArguments().add(unit.name).add("replace").add(properties).add_empty("a(sa(sv))");
  auto job = bus.run_job("StartTransientUnit", arguments);
  if (!job && job.error().name == kUnitExists) {
    forget_failed(bus, unit);
    job = bus.run_job("StartTransientUnit", arguments);
  }
  if (!job) {
    return std::unexpected(explain_start(std::move(job).error(), unit));
  }
  if (*job != "done") {
    forget_failed(bus, unit);
    return fail(ErrorKind::kSystem, "start unit {}: systemd's job ended with \"{}\"", unit.name, *job);
  }
  return {};
}

Status stop_scope(const Unit& unit) {
  Bus bus = TRY(Bus::connect(unit.user));
  auto job = bus.run_job("StopUnit", BusArguments().add(unit.name).add("replace"));
  forget_failed(bus, unit);
  if (!job && job.error().name != kNoSuchUnit) {
    return std::unexpected(std::move(job.error().error.add_context("stop unit " + unit.name)));
  }
  if (job && *job != "done") {
    return fail(ErrorKind::kSystem, "stop unit {}: systemd's job ended with \"{}\"", unit.name, *job);
  }
  return {};
}

Status set_limits(const Unit& unit, const std::vector<FileWrite>& limits) {
  Bus bus = TRY(Bus::connect(unit.user));
  const unsigned version = systemd_version(TRY(bus.manager_property("Version")));
  const std::vector<UnitProperty> properties = unit_properties(limits, version);
  if (properties.empty()) {
    return {};
  }
  constexpr bool kUntilReboot = true;
  const auto set = bus.call("SetUnitProperties", BusArguments().add(unit.name).add(kUntilReboot).add(properties));
  if (!set) {
    Error error = set.error().error;
    return std::unexpected(std::move(error.add_context("limit unit " + unit.name)));
  }
  return {};
}

Status attach_process(const Unit& unit, const std::string& below, pid_t pid) {
  Bus bus = TRY(Bus::connect(unit.user));
  BusArguments arguments;
  arguments.add(unit.name).add(below).add(std::vector<std::uint32_t>{static_cast<std::uint32_t>(pid)});
  if (auto attached = bus.call("AttachProcessesToUnit", arguments); !attached) {
    Error error = std::move(attached.error().error);
    return std::unexpected(std::move(error.add_context(fmt::format("move process {} into unit {}", pid, unit.name))));
  }
  return {};
}

}  // namespace berth::cgroup::systemd
