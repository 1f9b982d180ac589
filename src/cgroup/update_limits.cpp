#include "cgroup/update_limits.hpp"

#include <berth/base/log.hpp>
#include <berth/sys/file.hpp>

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "cgroup/controllers.hpp"
#include "cgroup/devices.hpp"
#include "cgroup/place.hpp"
#include "cgroup/systemd/bus.hpp"
#include "cgroup/systemd/scope.hpp"
#include "cgroup/write_limits.hpp"

namespace berth::cgroup {
namespace {

constexpr std::size_t kFileLimit = 64UL * 1024;

std::string without_newline(std::string text) {
  text.erase(text.find_last_not_of('\n') + 1);
  return text;
}

// Nothing where the kernel has no such file.
Result<std::optional<std::string>> read_limit(const std::string& path) {
  auto text = sys::read_file(AT_FDCWD, path, kFileLimit);
  if (!text && text.error().is(ENOENT)) {
    return std::nullopt;
  }
  return TRY(std::move(text));
}

Result<plan::Resources> complete(const Directory* unified, const plan::Resources& asked) {
  plan::Resources resources = asked;
  if (unified == nullptr) {
    return resources;
  }
  unified::InForce in_force;
  if (asked.cpu.quota || asked.cpu.period) {
    in_force.cpu_max = TRY(read_limit(unified->path + "/cpu.max")).value_or("");
  }
  if (asked.memory.limit || asked.memory.swap) {
    in_force.memory_max = TRY(read_limit(unified->path + "/memory.max")).value_or("");
    in_force.memory_swap_max = TRY(read_limit(unified->path + "/memory.swap.max")).value_or("");
  }
  unified::complete(resources, in_force);
  return resources;
}

// What the files of these writes hold now. In the order of the writes.
Result<std::vector<FileWrite>> values_before(const Placement& placement, const std::vector<FileWrite>& writes,
                                             bool unified) {
  std::vector<FileWrite> before;
  for (const FileWrite& write : writes) {
    const std::string& directory = find_directory(placement, unified ? "" : write.controller)->path;
    for (const std::string& file : {write.file, write.fallback_file}) {
      const auto text = file.empty() ? std::nullopt : TRY(read_limit(fmt::format("{}/{}", directory, file)));
      if (text) {
        FileWrite at = write;
        at.file = file;
        at.value = file == write.file ? write.value : write.fallback_value;
        before.push_back(undo_of(at, *text));
      }
    }
    // The kernel forgets the share of who becomes idle.
    const bool was_busy = !before.empty() && before.back().file == "cpu.idle" && before.back().value == "0";
    if (was_busy && write.file == "cpu.idle" && write.value != "0") {
      FileWrite share = write;
      share.file = unified ? "cpu.weight" : "cpu.shares";
      before.push_back(undo_of(share, TRY(read_limit(directory + "/" + share.file)).value_or("")));
    }
  }
  return before;
}

// The write that a true in the configuration has; for a new cgroup a false needs none.
void add_oom_killer(const Placement& placement, const plan::Resources& resources, Limits& limits) {
  if (resources.memory.disable_oom_killer == false && find_directory(placement, "memory") != nullptr) {
    limits.legacy.push_back({.property = "/linux/resources/memory/disableOOMKiller",
                             .controller = "memory",
                             .file = "memory.oom_control",
                             .value = "0"});
  }
}

// After the files, so that systemd is told what the kernel took. It then writes all that it knows of the unit: a quota
// in whole percents, and for what it has no property what a new unit has. What was there is put back, also where it is
// not among these limits.
Status set_unit_limits(const Placement& placement, const Limits& limits, std::optional<systemd::Bus>& bus) {
  if (!bus) {
    return {};
  }
  const std::string& directory = placement.directories.front().path;
  std::vector<FileWrite> told = limits.unified;
  const auto write_of = [&](std::string_view file) { return std::ranges::find(told, file, &FileWrite::file); };
  const bool ends_idling = write_of("cpu.idle") != told.end() && write_of("cpu.idle")->value == "0";
  if (ends_idling && write_of("cpu.weight") == told.end()) {  // which is what a weight says to systemd
    if (const auto weight = TRY(read_limit(directory + "/cpu.weight"))) {
      told.push_back({.property = {}, .controller = "cpu", .file = "cpu.weight", .value = without_newline(*weight)});
    }
  }
  std::vector<FileWrite> kept;
  for (const char* file : {"cpu.max", "memory.oom.group", "memory.zswap.max"}) {
    if (auto value = TRY(read_limit(directory + "/" + file))) {
      kept.push_back({.property = {}, .controller = {}, .file = file, .value = std::move(*value)});
    }
  }
  TRY(systemd::set_limits(*bus, *placement.unit, told));
  TRY(restore_unified_limits(placement, limits.unified));
  return restore_unified_limits(placement, kept);
}

// Device rules last: what is before them can be taken back.
Status write_all(const Placement& placement, const Limits& limits, const std::optional<DeviceRules>& devices,
                 std::optional<systemd::Bus>& bus) {
  TRY(write_legacy_limits(placement, limits.legacy));
  TRY(write_unified_limits(placement, limits.unified));
  TRY(set_unit_limits(placement, limits, bus));
  return devices ? apply_device_rules(placement, -1, false, *devices) : Status();
}

void restore(const Placement& placement, const Limits& before, std::optional<systemd::Bus>& bus) {
  const Status legacy = restore_legacy_limits(placement, before.legacy);
  const Status unified = restore_unified_limits(placement, before.unified);
  const Status unit = set_unit_limits(placement, before, bus);
  for (const Status* restored : {&legacy, &unified, &unit}) {
    if (!*restored) {
      log::warning("the limits are not as they were before: {}", restored->error().message());
    }
  }
}

std::string first_word(std::string_view text) {
  return std::string(text.substr(0, text.find(' ')));
}

// What a file with a line for each device says where it has none for this one.
std::string no_limit_of(const std::string& file, const std::string& device) {
  if (file == "io.max") {
    return device + " rbps=max wbps=max riops=max wiops=max";
  }
  if (file == "io.latency") {
    return device + " target=0";
  }
  return device + (file.find("weight") != std::string::npos ? " default" : " 0");
}

}  // namespace

FileWrite undo_of(const FileWrite& write, std::string_view text) {
  FileWrite undo = write;
  undo.fallback_file.clear();
  undo.fallback_value.clear();
  const std::string key = first_word(write.value);
  const std::vector<std::string> lines = split(text, '\n');
  const auto of_key = std::ranges::find_if(lines, [&](const std::string& line) { return first_word(line) == key; });
  if (key.size() == write.value.size()) {  // one value alone
    const std::string line = lines.empty() ? "" : lines.front();
    undo.value = write.file == "memory.oom_control" ? line.substr(line.rfind(' ') + 1) : line;
  } else if (of_key != lines.end()) {  // a line for each device, interface...
    undo.value = *of_key;
  } else if (key.find(':') != std::string::npos) {
    undo.value = no_limit_of(write.file, key);
  } else {  // cpu.max
    undo.value = lines.empty() ? "" : lines.front();
  }
  if (undo.value.empty()) {
    undo.value = "\n";  // an empty cpuset of cgroup2
  }
  return undo;
}

Status update_limits(const Placement& placement, const plan::Resources& asked) {
  if (placement.directories.empty()) {
    Error error(ErrorKind::kState, "there is no cgroup that could limit anything");
    error.add_hint("the container was made with --cgroup-manager disabled");
    return std::unexpected(std::move(error));
  }
  const Directory* unified = find_directory(placement, "");
  const plan::Resources resources = TRY(complete(unified, asked));
  const Controllers controllers = TRY(find_controllers(placement, resources));
  Limits limits = TRY(enforceable_limits(resources, controllers));
  add_oom_killer(placement, resources, limits);
  // What can fail without a change comes first: not every write can be taken back.
  std::optional<DeviceRules> devices;
  if (!resources.devices.empty()) {
    devices = TRY(prepare_device_rules(placement, resources.devices));
  }
  std::optional<systemd::Bus> bus;
  if (placement.unit) {
    bus = TRY(systemd::Bus::connect(placement.unit->user));
  }
  TRY(enable_unified(placement, limits, controllers));
  if (asked.memory.check_before_update && asked.memory.limit) {
    TRY(check_memory_in_use(placement, limits.unified));
  }
  // Of the writes that comes last: cgroup2 enforces a low memory.max by killing.
  std::ranges::stable_partition(limits.unified, [](const FileWrite& write) { return write.file != "memory.max"; });

  const Limits before{.legacy = TRY(values_before(placement, limits.legacy, false)),
                      .unified = TRY(values_before(placement, limits.unified, true))};
  Status written = write_all(placement, limits, devices, bus);
  if (!written) {
    restore(placement, before, bus);
  }
  return written;
}

}  // namespace berth::cgroup
