#include <berth/base/log.hpp>
#include <berth/base/scope_guard.hpp>
#include <berth/base/trace.hpp>
#include <berth/cgroup/hand_over.hpp>
#include <berth/container/create.hpp>
#include <berth/hooks/run_hooks.hpp>
#include <berth/launch/sealed_self.hpp>
#include <berth/launch/supervisor.hpp>
#include <berth/plan/cgroup_owner.hpp>
#include <berth/plan/lower.hpp>
#include <berth/rdt/resctrl.hpp>
#include <berth/security/credentials.hpp>
#include <berth/spec/parse.hpp>
#include <berth/sys/file.hpp>
#include <berth/sys/socket.hpp>
#include <berth/terminal/job_control.hpp>

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "container/destroy.hpp"
#include "container/foreground.hpp"
#include "container/handover.hpp"
#include "container/notify_socket.hpp"
#include "container/observation.hpp"
#include "container/process_identity.hpp"

namespace berth::container {
namespace {

constexpr std::size_t kMaxConfig = std::size_t{64} * 1024 * 1024;

struct Bundle {
  std::string path;    ///< absolute, without symbolic links
  std::string config;  ///< the text of config.json
  plan::ContainerPlan plan;
};

// A container with its process ready and waiting.
struct Creation {
  ContainerDirectory directory;
  spec::Record record;
  cgroup::Cgroup cgroup;
  launch::LaunchedProcess process;
  sys::UniqueFd terminal;                ///< the master, until commit() hands it over
  std::optional<terminal::Relay> relay;  ///< of `run` in the foreground
  std::optional<NotifyProxy> notify;     ///< of `run`, where its caller has a $NOTIFY_SOCKET
};

Result<Bundle> load_bundle(const CreateRequest& request) {
  const sys::UniqueFd directory = TRY_CONTEXT(sys::open_at(AT_FDCWD, request.bundle, O_PATH | O_DIRECTORY), "bundle");
  Bundle bundle;
  bundle.path = TRY(sys::read_link(AT_FDCWD, fmt::format("/proc/self/fd/{}", directory.get())));
  const trace::Span span("configuration");
  bundle.config =
      TRY_CONTEXT(sys::read_file(directory.get(), request.config_file, kMaxConfig), "bundle {}", bundle.path);
  const spec::Config config = TRY_CONTEXT(spec::parse_config(bundle.config), "{}", request.config_file);
  const plan::HostFacts facts{
      .capabilities = TRY(security::known_capabilities()), .euid = ::geteuid(), .rootless = request.rootless};
  bundle.plan = TRY_CONTEXT(plan::lower(config, bundle.path, facts), "{}", request.config_file);
  if (bundle.plan.process.args.empty()) {
    return fail(ErrorKind::kConfig, "{}: /process: got nothing, expected the program to run", request.config_file);
  }
  return bundle;
}

// Whether programs of the container can look at its process before that executes the trampoline.
bool needs_sealed_self(const plan::ContainerPlan& plan) {
  const bool has_listener = plan.seccomp && !plan.seccomp->listener_path.empty();
  return plan.namespaces.joins(CLONE_NEWPID) || !plan.hooks.start_container.empty() || has_listener;
}

std::string now_rfc3339() {
  constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;
  struct timespec now {};
  // The call itself: to read the time once, the pages of the vDSO cost more than they save.
  ::syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
  return log::rfc3339(now.tv_sec * kNanosecondsPerSecond + now.tv_nsec);
}

Result<spec::Record> make_record(const CreateRequest& request, const Bundle& bundle,
                                 const cgroup::Placement& placement) {
  spec::Record record;
  record.id = request.id;
  record.bundle = bundle.path;
  record.rootfs = bundle.plan.rootfs.path;
  record.boot_id = TRY(boot_id());
  record.created = now_rfc3339();
  record.owner = ::geteuid();
  record.no_new_keyring = request.no_new_keyring;
  record.cgroup = record_of(placement);
  record.poststart = bundle.plan.hooks.poststart;
  record.poststop = bundle.plan.hooks.poststop;
  record.annotations = bundle.plan.annotations;
  if (bundle.plan.seccomp) {
    record.seccomp_listener_path = bundle.plan.seccomp->listener_path;
    record.seccomp_listener_metadata = bundle.plan.seccomp->listener_metadata;
  }
  return record;
}

Result<launch::LaunchedProcess> launch_process(const CreateRequest& request, const Bundle& bundle,
                                               cgroup::Cgroup& cgroup, const spec::Record& record, int start_socket,
                                               const rdt::Groups* groups, std::string filter_cache) {
  const sys::UniqueFd hook_output = TRY(hooks::open_output(bundle.plan.hooks.output));
  const sys::UniqueFd hook_errors = TRY(hooks::open_output(bundle.plan.hooks.errors));
  const SignalFd interrupts = TRY(SignalFd::for_creation());
  const launch::LaunchOptions options{
      .bundle = bundle.path,
      .no_pivot = request.no_pivot,
      .no_new_keyring = request.no_new_keyring,
      .passed = request.passed,
      .filter_cache = std::move(filter_cache),
      .start_socket = start_socket,
      .interrupt_fd = interrupts.get(),
      .rdt = groups,
      .hook_output = hook_output.get(),
      .hook_errors = hook_errors.get(),
      .state_document =
          [&record](pid_t pid, std::string_view status) {
            const bool created = status == spec::status_name(spec::ContainerStatus::kCreated);
            return spec::state_json(
                describe(record, created ? spec::ContainerStatus::kCreated : spec::ContainerStatus::kCreating, pid),
                spec::Layout::kCompact);
          },
  };
  return launch::launch(bundle.plan, cgroup, options);
}

bool is_refusal(const Error& error) {
  return error.is(EACCES) || error.is(EPERM) || error.is(EROFS);
}

// A user without privilege may often make no cgroup. Where the configuration asks for none by path or limit, the
// container then stays in the caller's, as in other runtimes. What is known of the cgroup only now is in the intent
// before anything is in the cgroup.
Result<cgroup::Cgroup> make_cgroup(const CreateRequest& request, const plan::ContainerPlan& plan,
                                   const ContainerDirectory& directory, const cgroup::Placement& placement,
                                   spec::Record& record) {
  auto made = cgroup::Cgroup::create(placement);
  if (!made && request.rootless && plan.cgroups_path.empty() && is_refusal(made.error()) &&
      !cgroup::Cgroup::asks_for_limits(plan.resources)) {
    log::debug("{}: no cgroup: {}", request.id, made.error().message());
    made = cgroup::Cgroup::create({});
  }
  cgroup::Cgroup cgroup = TRY(std::move(made));
  record.cgroup = record_of(cgroup.placement());
  if (cgroup.placement().unit != placement.unit || cgroup.placement().directories != placement.directories) {
    TRY(directory.save_intent(record));
  }
  return cgroup;
}

// The resctrl groups that the configuration asks for, made, after the intent has their names.
Result<std::optional<rdt::Groups>> make_rdt_groups(const Bundle& bundle, const ContainerDirectory& directory,
                                                   spec::Record& record) {
  const std::optional<plan::IntelRdt>& plan = bundle.plan.intel_rdt;
  if (!plan) {
    return std::optional<rdt::Groups>();
  }
  std::optional<rdt::Groups> groups = TRY(rdt::find(*plan, record.id));
  record.rdt_directories = groups->made();
  TRY(directory.save_intent(record));
  TRY_CONTEXT(rdt::make(*groups, *plan), "intelRdt");
  return groups;
}

// The container is to see the socket when its mounts are made. Who listens is who starts it: `start`, or `run` itself.
Result<std::optional<NotifyProxy>> make_notify_socket(const ContainerDirectory& directory, bool waits_for_start) {
  std::optional<NotifyProxy> proxy;
  if (const std::string address = notify_address(); !address.empty()) {
    const sys::FileModeMask exact_modes(0);
    TRY(sys::make_directory(directory.fd(), kNotifyDirectory, 0755));
    if (!waits_for_start) {
      proxy.emplace(TRY(NotifyProxy::start(directory.fd(), address)));
    }
  }
  return proxy;
}

// From the empty directory to the process that waits for its commit. Whatever fails, what was made is gone again.
Result<Creation> build(const StateStore& store, const CreateRequest& request, const Bundle& bundle,
                       bool waits_for_start) {
  const cgroup::Placement placement =
      TRY(cgroup::place(request.cgroup_manager, bundle.plan.cgroups_path, request.id, bundle.plan.annotations));
  TRY(cgroup::Cgroup::check(placement, bundle.plan.resources));

  std::optional<trace::Span> span(std::in_place, "state");
  ContainerDirectory directory = TRY(store.create(request.id));
  spec::Record record;
  bool hooks_may_have_run = false;
  // Declared first, so it runs last: the process and the cgroup are gone by then.
  ScopeGuard undo([&] {
    if (auto removed = rdt::remove(record.rdt_directories); !removed) {
      log::warning("create \"{}\": {}", request.id, removed.error().message());
    }
    if (hooks_may_have_run) {
      run_late_hooks(record, "poststop");
    }
    if (auto removed = directory.remove(); !removed) {
      log::warning("create \"{}\": {}", request.id, removed.error().message());
    }
  });
  record = TRY(make_record(request, bundle, placement));
  log::debug("{}: cgroup {}, {} hierarchies", request.id, placement.path, placement.directories.size());
  TRY(directory.save_intent(record));
  std::optional<NotifyProxy> notify = TRY(make_notify_socket(directory, waits_for_start));

  span.emplace("cgroup");
  cgroup::Cgroup cgroup = TRY(make_cgroup(request, bundle.plan, directory, placement, record));
  TRY(directory.save_config(bundle.config));
  TRY(cgroup.apply(bundle.plan.resources));
  const std::optional<uid_t> owner = plan::cgroup_owner(bundle.plan);
  if (owner) {
    TRY(cgroup::hand_over(cgroup.placement(), *owner));
  }
  const std::optional<rdt::Groups> groups = TRY(make_rdt_groups(bundle, directory, record));
  const sys::UniqueFd start_socket =
      waits_for_start ? TRY(sys::listen_at(directory.fd(), kStartSocket)) : sys::UniqueFd();
  hooks_may_have_run = true;
  span.emplace("launch");
  launch::LaunchedProcess process = TRY(launch_process(request, bundle, cgroup, record, start_socket.get(),
                                                       groups ? &*groups : nullptr, store.filter_cache()));

  span.reset();
  if (!bundle.plan.delegate_cgroup.empty()) {
    // After its namespaces are made: the root of a cgroup namespace is the limited cgroup.
    TRY(cgroup::delegate_below(cgroup.placement(), bundle.plan.delegate_cgroup, process.pid(), owner));
  }

  record.pid = process.pid();
  record.start_time = TRY(start_time_of(record.pid));
  record.committed = true;
  if (groups) {
    record.rdt_directories = groups->owned();
  }
  undo.dismiss();
  sys::UniqueFd terminal = process.take_terminal();
  return Creation{std::move(directory), std::move(record), std::move(cgroup), std::move(process),
                  std::move(terminal),  std::nullopt,      std::move(notify)};
}

// Makes the container real: its state and the caller's pid file are written, then the process may live.
Status commit(Creation& creation, const CreateRequest& request, const Bundle& bundle, bool waits_for_start) {
  const trace::Span span("commit");
  const auto committed = [&]() -> Status {
    auto relay = TRY(connect_terminal(std::move(creation.terminal), request.console_socket,
                                      bundle.plan.process.console_size.has_value()));
    if (relay) {
      creation.relay.emplace(std::move(*relay));
    }
    TRY(send_pidfd(bundle.plan.pidfd_receiver, "pidfd receiver", creation.process.pidfd()));
    TRY(creation.directory.save(creation.record));
    TRY(send_pidfd(request.pidfd_socket, "--pidfd-socket", creation.process.pidfd()));
    TRY(write_pid_file(request.pid_file, creation.record.pid));
    return creation.process.commit(waits_for_start, seccomp_receiver(creation.record, creation.record.pid));
  }();
  creation.cgroup.release();
  if (!committed) {
    creation.process.child().kill_and_reap();
    if (!request.pid_file.empty()) {
      // Engines take a pid file as a sign that the process has started. Often there is none yet.
      static_cast<void>(sys::unlink_at(AT_FDCWD, request.pid_file));
    }
    if (auto destroyed = destroy(creation.directory, creation.record); !destroyed) {
      log::warning("create \"{}\": {}", request.id, destroyed.error().message());
    }
  }
  return committed;
}

Result<Bundle> prepare(const CreateRequest& request, bool detached) {
  TRY(check_id(request.id));
  TRY(take_descriptors(request.passed));
  Bundle bundle = TRY(load_bundle(request));
  TRY(check_terminal(bundle.plan.process, request.console_socket, detached));
  if (bundle.plan.process.terminal && request.console_socket.empty()) {
    terminal::await_foreground();  // before anything is made
  }
  if (needs_sealed_self(bundle.plan)) {
    TRY(launch::ensure_sealed_self(request.argv));
  }
  return bundle;
}

// The directory is below the root of the state, which is made by then.
void tell_of_notify_socket(const StateStore& store, const std::string& id, plan::ContainerPlan& plan) {
  if (!notify_address().empty()) {
    add_notify_socket(plan, fmt::format("{}/{}/{}", store.root(), id, kNotifyDirectory));
  }
}

}  // namespace

Status create(const StateStore& store, const CreateRequest& request) {
  Bundle bundle = TRY(prepare(request, true));
  tell_of_notify_socket(store, request.id, bundle.plan);
  Creation creation = TRY(build(store, request, bundle, true));
  TRY(commit(creation, request, bundle, true));
  static_cast<void>(creation.process.child().release());
  return {};
}

Result<int> run(const StateStore& store, const RunRequest& request) {
  Bundle bundle = TRY(prepare(request.create, request.detach));
  tell_of_notify_socket(store, request.create.id, bundle.plan);
  const SignalFd signals = TRY(SignalFd::for_forwarding());
  Creation creation = TRY(build(store, request.create, bundle, false));
  TRY(commit(creation, request.create, bundle, false));
  run_late_hooks(creation.record, "poststart");
  if (request.detach) {
    TRY(creation.directory.unlock());
    const sys::ClonedProcess process = creation.process.child().release();
    if (creation.notify) {
      TRY(creation.notify->await_ready(process.pidfd, process.pid, signals.get()));
    }
    return 0;
  }
  // Other commands may act on the container while its program runs, delete it even.
  TRY(creation.directory.unlock());
  std::optional<trace::Span> span(std::in_place, "the program runs");
  const auto ended = wait_in_foreground(creation.process.child(), signals, creation.relay,
                                        creation.notify ? &*creation.notify : nullptr);
  span.emplace("delete");
  creation.relay.reset();  // the caller's terminal has its own settings again
  if (!ended) {
    creation.process.child().kill_and_reap();
  }
  const bool exists = TRY(creation.directory.lock());
  if (exists && (!request.keep || !ended)) {
    // `update` may have given it a group of resctrl since. A record that cannot be read says no more than this one.
    const auto record = creation.directory.load().value_or(std::nullopt);
    TRY(destroy(creation.directory, record ? *record : creation.record));
  }
  return TRY(ended).shell_status();
}

}  // namespace berth::container
