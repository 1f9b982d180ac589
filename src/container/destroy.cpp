#include "container/destroy.hpp"

#include <berth/base/log.hpp>
#include <berth/hooks/run_hooks.hpp>
#include <berth/rdt/resctrl.hpp>

#include <signal.h>

#include <chrono>

#include "container/observation.hpp"
#include "container/process_identity.hpp"

namespace berth::container {
namespace {

// A process in an uninterruptible sleep can outlast any wait; the state stays then, and the command can be repeated.
constexpr std::chrono::milliseconds kEndTimeout{10'000};

Status end_processes(const spec::Record& record, cgroup::Cgroup& cgroup) {
  if (const auto process = TRY(find_process(record))) {
    auto sent = process->send_signal(SIGKILL);
    if (!sent && !sent.error().is(ESRCH)) {
      return sent;
    }
    // The cgroup's own kill also reaches a frozen process; one without a cgroup is not frozen.
    TRY(cgroup.kill(SIGKILL));
    if (!TRY(process->wait_ended(kEndTimeout))) {
      return fail(ErrorKind::kSystem, "process {} did not end within {} s of SIGKILL", record.pid,
                  kEndTimeout.count() / 1000);
    }
    return {};
  }
  return TRY(cgroup.claim()) ? cgroup.kill(SIGKILL) : Status();
}

// And the groups of resctrl. None of them outlasts a boot: what has their names after it is somebody else's.
Status remove_cgroups(const ContainerDirectory& directory, const spec::Record& record) {
  cgroup::Cgroup cgroup = cgroup::Cgroup::open(placement_of(record));
  if (record.committed || TRY(directory.has_config())) {
    TRY(end_processes(record, cgroup));
    TRY(cgroup.remove(kEndTimeout));
  } else {
    TRY(cgroup.remove_unused());
  }
  return rdt::remove(record.rdt_directories);
}

// The file of an annotation, where the hooks have one.
sys::UniqueFd output_of_hooks(const spec::Record& record, const char* name) {
  const auto path = record.annotations.find(name);
  auto file = hooks::open_output(path == record.annotations.end() ? "" : path->second);
  if (!file) {
    log::warning("{}: {}", name, file.error().message());
    return {};
  }
  return std::move(*file);
}

}  // namespace

void run_late_hooks(const spec::Record& record, std::string_view stage) {
  const bool poststart = stage == "poststart";
  const auto& list = poststart ? record.poststart : record.poststop;
  const std::string state = spec::state_json(
      describe(record, poststart ? spec::ContainerStatus::kRunning : spec::ContainerStatus::kStopped, record.pid),
      spec::Layout::kCompact);
  // "If any poststart/poststop hook fails, the runtime MUST log a warning, but the remaining hooks and lifecycle
  // continue as if the hook had succeeded": so one by one.
  const sys::UniqueFd output = output_of_hooks(record, "run.oci.hooks.stdout");
  const sys::UniqueFd errors = output_of_hooks(record, "run.oci.hooks.stderr");
  const hooks::Options how{.stage = stage, .state = state, .output = output.get(), .errors = errors.get(), .exec = {}};
  for (std::size_t index = 0; index < list.size(); ++index) {
    if (auto ran = hooks::run({&list[index], 1}, how); !ran) {
      log::warning("{} \"{}\": {}", stage, record.id, ran.error().message());
    }
  }
}

Status destroy(const ContainerDirectory& directory, const std::optional<spec::Record>& record) {
  if (record) {
    if (TRY(is_of_this_boot(*record))) {
      TRY(remove_cgroups(directory, *record));
    }
    run_late_hooks(*record, "poststop");
  }
  return directory.remove();
}

}  // namespace berth::container
