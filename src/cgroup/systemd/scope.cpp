#include "cgroup/systemd/scope.hpp"

#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <thread>

#include "cgroup/statistics.hpp"
#include "cgroup/systemd/bus.hpp"
#include "cgroup/systemd/slices.hpp"
#include "cgroup/systemd/unit_name.hpp"
#include "cgroup/systemd/unit_properties.hpp"

namespace berth::cgroup::systemd {
namespace {

constexpr const char* kSubgroupAnnotation = "run.oci.systemd.subgroup";
constexpr const char* kUnitExists = "org.freedesktop.systemd1.UnitExists";

// Of a unit that runs, the run itself: what has its name now may be another container's.
const std::string& identity(const Unit& unit) {
  return unit.invocation.empty() ? unit.name : unit.invocation;
}

std::string hexadecimal(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  }
  return text;
}

Error failed(CallError refused, const std::string& context) {
  return std::move(refused.error.add_context(context));
}

// What systemd calls this run of the unit that the process is in.
CallResult<std::string> invocation_around(Bus& bus, std::uint32_t pid) {
  const auto found = bus.call(manager_object(), "GetUnitByPID", BusArguments().add(pid));
  if (!found) {
    return std::unexpected(found.error());
  }
  auto path = first_text_of(*found);
  if (!path) {
    return std::unexpected(CallError{.name = "", .error = std::move(path).error()});
  }
  BusObject object = unit_object("");
  object.path = std::move(*path);
  auto invocation = bus.property(object, "InvocationID");
  return invocation ? CallResult<std::string>(hexadecimal(*invocation)) : invocation;
}

struct UnitState {
  bool active = false;
  bool has_job = false;  ///< to become something else
  std::string invocation;
};

Result<UnitState> state_of(Bus& bus, const std::string& name) {
  std::array<std::string, 3> values;
  constexpr std::array<std::string_view, 3> kProperties{"ActiveState", "Job", "InvocationID"};
  for (std::size_t index = 0; index < kProperties.size(); ++index) {
    auto value = bus.property(unit_object(name), kProperties.at(index));
    if (!value) {
      return std::unexpected(std::move(value).error().error);
    }
    values.at(index) = std::move(*value);
  }
  return UnitState{.active = values[0] == "active", .has_job = values[1] != "/", .invocation = hexadecimal(values[2])};
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
  auto own = bus.property(manager_object(), "ControlGroup");
  if (!own) {
    return std::unexpected(std::move(own).error().error);
  }
  return Placement{.manager = Manager::kSystemd,
                   .path = *own + TRY(slice_path(name.slice)) + "/" + cgroup_name(name.unit) + subgroup(annotations),
                   .directories = {},
                   .unit = std::move(unit)};
}

std::string scope_directory(const Placement& placement) {
  const std::string& path = placement.directories.front().path;
  return path.substr(0, path.size() - below_unit(placement).size());
}

std::string below_unit(const Placement& placement) {
  const std::string own = "/" + cgroup_name(placement.unit->name);
  return placement.path.substr(placement.path.rfind(own) + own.size());
}

Result<sys::Child> start_placeholder() {
  const pid_t parent = sys::own_pid();  // before there is a child that could ask for it too late
  auto cloned = TRY_CONTEXT(sys::clone_process(0, -1), "start a process for systemd's scope");
  if (!cloned) {
    if (sys::die_with_parent() && parent == ::getppid()) {
      static_cast<void>(sys::poll_events({}, std::chrono::milliseconds(-1)));
    }
    ::_exit(0);
  }
  return sys::Child(std::move(*cloned));
}

Result<std::string> start_scope(const Placement& placement, pid_t pid) {
  const Unit& unit = *placement.unit;
  const auto process = static_cast<std::uint32_t>(pid);
  std::vector<UnitProperty> properties{
      {"Description", unit.description},
      {"Slice", unit.slice},
      {"PIDs", std::vector<std::uint32_t>{process}},
      {"Delegate", true},
      {"DefaultDependencies", false},
      {"CollectMode", "inactive-or-failed"},  // once its processes have ended, nothing of it stays
      {"MemoryAccounting", true},
      {"CPUAccounting", true},
      {"IOAccounting", true},
      {"TasksAccounting", true},
  };
  for (UnitProperty& property : TRY(annotated_properties(unit.annotations))) {
    properties.push_back(std::move(property));
  }
  Bus bus = TRY(Bus::connect(unit.user));
  const sys::UniqueFd lock = lock_slices(placement, LOCK_SH);
  if (const auto marked = mark_new_slices(bus, placement); !marked) {
    return std::unexpected(failed(marked.error(), "start unit " + unit.name));
  }
  const BusArguments arguments = BusArguments().add(unit.name).add("replace").add(properties).add_empty("a(sa(sv))");
  auto job = bus.run_job(manager_object(), "StartTransientUnit", arguments);
  if (!job && job.error().name == kUnitExists) {
    // Of a failed unit it is only a memory; systemd refuses to forget any other.
    static_cast<void>(bus.call(manager_object(), "ResetFailedUnit", BusArguments().add(unit.name)));
    job = bus.run_job(manager_object(), "StartTransientUnit", arguments);
  }
  if (!job) {
    return std::unexpected(explain_start(std::move(job).error(), unit));
  }
  if (*job != "done") {
    return fail(ErrorKind::kSystem, "start unit {}: systemd's job ended with \"{}\"", unit.name, *job);
  }
  auto invocation = invocation_around(bus, process);
  if (!invocation) {
    return std::unexpected(failed(std::move(invocation).error(), "start unit " + unit.name));
  }
  return std::move(*invocation);
}

Result<bool> has_scope(const Unit& unit) {
  Bus bus = TRY(Bus::connect(unit.user));
  const auto state = bus.property(unit_object(identity(unit)), "ActiveState");
  if (!state && !is_gone(state.error())) {
    return std::unexpected(failed(state.error(), "look for unit " + unit.name));
  }
  return state.has_value();
}

Status stop_unused_scope(const Placement& placement) {
  constexpr std::chrono::milliseconds kPause{5};
  const std::string events = scope_directory(placement) + "/cgroup.events";
  const auto deadline = Clock::now() + std::chrono::seconds(2);
  Bus bus = TRY(Bus::connect(placement.unit->user));
  for (;;) {
    const UnitState state = TRY_CONTEXT(state_of(bus, placement.unit->name), "look for unit {}", placement.unit->name);
    if (state.active && read_text(events).find("populated 0") != std::string::npos) {
      Unit unit = *placement.unit;
      unit.invocation = state.invocation;
      TRY(stop_scope(unit));
      return {};
    }
    if (!state.has_job || Clock::now() >= deadline) {
      return {};
    }
    std::this_thread::sleep_for(kPause);
  }
}

Result<bool> stop_scope(const Unit& unit) {
  Bus bus = TRY(Bus::connect(unit.user));
  const BusObject object = unit_object(identity(unit));
  auto job = bus.run_job(object, "Stop", BusArguments().add("replace"));
  if (!job && is_gone(job.error())) {
    const auto state = bus.property(unit_object(unit.name), "ActiveState");
    if (!state && !is_gone(state.error())) {
      return std::unexpected(failed(state.error(), "look for unit " + unit.name));
    }
    return !state || *state == "inactive" || *state == "failed";
  }
  // Of one that has failed systemd keeps the memory otherwise; it refuses to forget any other.
  static_cast<void>(bus.call(object, "ResetFailed", {}));
  if (!job) {
    return std::unexpected(failed(std::move(job).error(), "stop unit " + unit.name));
  }
  if (*job != "done") {
    return fail(ErrorKind::kSystem, "stop unit {}: systemd's job ended with \"{}\"", unit.name, *job);
  }
  return true;
}

Status set_limits(Bus& bus, const Unit& unit, const std::vector<FileWrite>& limits) {
  const auto version = bus.property(manager_object(), "Version");
  if (!version) {
    return std::unexpected(version.error().error);
  }
  const std::vector<UnitProperty> properties = unit_properties(limits, systemd_version(*version));
  if (properties.empty()) {
    return {};
  }
  constexpr bool kUntilReboot = true;
  const auto set =
      bus.call(unit_object(identity(unit)), "SetProperties", BusArguments().add(kUntilReboot).add(properties));
  return set ? Status() : std::unexpected(failed(set.error(), "limit unit " + unit.name));
}

Status attach_process(const Unit& unit, const std::string& below, pid_t pid) {
  Bus bus = TRY(Bus::connect(unit.user));
  const std::vector<std::uint32_t> pids{static_cast<std::uint32_t>(pid)};
  const auto attached = bus.call(scope_object(identity(unit)), "AttachProcesses", BusArguments().add(below).add(pids));
  return attached
             ? Status()
             : std::unexpected(failed(attached.error(), fmt::format("move process {} into unit {}", pid, unit.name)));
}

}  // namespace berth::cgroup::systemd
