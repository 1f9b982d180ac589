#include "launch/spawn.hpp"

#include <berth/base/trace.hpp>
#include <berth/ns/id_map.hpp>
#include <berth/rdt/resctrl.hpp>
#include <berth/sys/file.hpp>
#include <berth/sys/memory.hpp>

#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <optional>

#include "launch/shared_memory.hpp"

namespace berth::launch {
namespace {

constexpr int kNewTime = 0x00000080;  // CLONE_NEWTIME

Error explain_clone(Error error, std::uint64_t flags) {
  if (error.is(EPERM) && (flags & static_cast<unsigned>(CLONE_NEWUSER)) == 0) {
    error.add_hint("new namespaces need root or a user namespace");
  } else if (error.is(ENOSPC) || error.is(EUSERS)) {
    error.add_hint("a limit of /proc/sys/user/max_*_namespaces is reached");
  }
  return error;
}

// The stage joins and clones with its caller's rights, hands the new process over and ends. Never returns.
[[noreturn]] void run_stage(InitContext& context, channel::Channel channel) noexcept {
  const ns::SpawnPlan& spawn = context.spawn;
  const auto body = [&]() -> Status {
    TRY(sys::die_with_parent());
    if (!TRY(channel.receive())) {
      ::_exit(1);
    }
    TRY(context.namespaces.join(spawn.join_before_clone));
    if (spawn.unshare_time) {
      TRY(ns::create_time_namespace(context.plan.namespaces.time_offsets));
    }
    // CLONE_PARENT: the new process is the supervisor's child, as it would be without this one.
    auto cloned = TRY(sys::clone_process(spawn.clone_flags | CLONE_PARENT, -1));
    if (!cloned) {
      trace::become(trace::Track::kContainer);
      TRY(channel.count_as_said(channel::MessageType::kCloned));
      InitProcess(context, std::move(channel)).run();
    }
    return channel.send(channel::MessageType::kCloned, std::to_string(cloned->pid), cloned->pidfd.get());
  };
  if (auto done = body(); !done) {
    channel.send_failure(std::move(done).error().add_context("namespaces"));
    ::_exit(1);
  }
  ::_exit(0);
}

Status map_ids(const plan::Namespaces& namespaces, pid_t pid) {
  if (namespaces.joins(CLONE_NEWUSER)) {
    return ns::check_id_maps(pid, namespaces.uid_mappings, namespaces.gid_mappings);
  }
  if (!namespaces.creates(static_cast<unsigned>(CLONE_NEWUSER))) {
    return {};
  }
  return ns::write_id_maps(pid, namespaces.uid_mappings, namespaces.gid_mappings);
}

// What the process gets from outside, before it looks at anything.
Status equip(const InitContext& context, pid_t pid, net::MovedDevices& devices) {
  if (context.options.rdt != nullptr) {
    TRY_CONTEXT(rdt::add(*context.options.rdt, pid), "intelRdt");
  }
  if (context.plan.net_devices.empty()) {
    return {};
  }
  const int joined = context.namespaces.descriptor(CLONE_NEWNET);
  const sys::UniqueFd created =
      joined >= 0 ? sys::UniqueFd() : TRY(sys::open_at(AT_FDCWD, fmt::format("/proc/{}/ns/net", pid), O_RDONLY));
  return devices.move(context.plan.net_devices, joined >= 0 ? joined : created.get());
}

// Whether the process can do what is before its trampoline in this one's memory: nothing of the above is to be done
// meanwhile, no hook is waited for, and nobody else is in its pid namespace. Only a process with memory of its own gets
// into another time namespace. A low memory limit could have the kernel end all who share the memory.
bool can_share_memory(const InitContext& context, const cgroup::Cgroup& cgroup) {
  const plan::ContainerPlan& plan = context.plan;
  return sys::knows_shared_memory() && context.process.is_first && context.process.trampoline_takes_over &&
         !context.spawn.staged && !plan.namespaces.has(CLONE_NEWUSER) && !plan.namespaces.has(kNewTime) &&
         context.options.rdt == nullptr && plan.net_devices.empty() && !plan.hooks.any_before_pivot() &&
         has_room(plan.resources.memory.limit) && cgroup.clone_suffices();
}

// Nothing where this kernel cannot.
Result<std::optional<sys::Child>> spawn_in_own_memory(InitContext& context, cgroup::Cgroup& cgroup,
                                                      channel::Channel& channel, sys::UniqueFd& peer) {
  const trace::Span span("clone");
  context.process.shares_memory = true;
  auto body = [&context, &peer]() noexcept {
    trace::become(trace::Track::kContainer);
    InitProcess(context, channel::Channel(sys::UniqueFd(peer.get()))).run();
  };
  auto cloned = clone_sharing_memory(context.spawn.clone_flags, cgroup, body);
  context.process.shares_memory = false;
  if (!cloned) {
    return std::unexpected(explain_clone(std::move(cloned).error(), context.spawn.clone_flags));
  }
  if (!*cloned) {
    return std::optional<sys::Child>();
  }
  peer.reset();
  TRY(channel.count_as_said(channel::MessageType::kProceed));
  return std::optional(sys::Child(std::move(**cloned)));
}

}  // namespace

bool has_room(const std::optional<std::int64_t>& memory_limit) {
  constexpr std::int64_t kEnough = std::int64_t{8} * 1024 * 1024;
  return !memory_limit || *memory_limit < 0 || *memory_limit >= kEnough;
}

// Kernels before 5.7 do not know CLONE_INTO_CGROUP: there the process is added by its pid, while it waits.
Result<Cloned> clone_into(std::uint64_t flags, int cgroup_fd) {
  if (cgroup_fd >= 0) {
    auto cloned = sys::clone_process(flags, cgroup_fd);
    if (cloned) {
      return Cloned{std::move(*cloned), true};
    }
    if (!cloned.error().is(EINVAL) && !cloned.error().is(E2BIG)) {
      return std::unexpected(std::move(cloned).error());
    }
  }
  return Cloned{TRY(sys::clone_process(flags, -1)), false};
}

Result<sys::Child> receive_from_stage(channel::Channel& channel, sys::Child& stage) {
  auto message = TRY(receive(channel));
  if (!message) {
    return std::unexpected(death_error(stage));
  }
  pid_t pid = 0;
  const std::string& text = message->payload;
  std::from_chars(text.data(), text.data() + text.size(), pid);
  if (pid <= 0 || message->fds.size() != 1) {
    return fail(ErrorKind::kInternal, "the launch's stage handed over no process");
  }
  return sys::Child(sys::ClonedProcess{pid, sys::Pidfd(std::move(message->fds.front()))});
}

Error death_error(sys::Child& child) {
  auto status = child.reap();
  if (!status) {
    return std::move(status).error();
  }
  Error error(ErrorKind::kSystem, fmt::format("the container's process died: {}", status->describe()));
  if (status->signal == SIGKILL) {
    error.add_hint("out of memory? the memory limit may be too low to start a container");
  }
  return error;
}

Result<sys::Child> spawn(InitContext& context, cgroup::Cgroup& cgroup, channel::Channel& channel, sys::UniqueFd peer,
                         net::MovedDevices& devices) {
  const ns::SpawnPlan& plan = context.spawn;
  const plan::Namespaces& namespaces = context.plan.namespaces;

  ns::ChildNamespaceSwitch namespace_switch;
  if (!plan.staged) {
    if (!plan.join_before_clone.empty()) {
      TRY(namespace_switch.remember(CLONE_NEWPID));
      TRY(context.namespaces.join(plan.join_before_clone));
    }
    if (plan.unshare_time) {
      TRY(namespace_switch.remember(kNewTime));
      TRY(ns::create_time_namespace(namespaces.time_offsets));
    }
  }
  const std::uint64_t flags = plan.staged ? plan.stage_flags : plan.clone_flags;
  if (can_share_memory(context, cgroup)) {
    if (auto child = TRY(spawn_in_own_memory(context, cgroup, channel, peer))) {
      TRY(namespace_switch.restore());
      TRY(cgroup.add(child->pid(), true));
      return std::move(*child);
    }
  }
  const trace::Span span("clone");
  auto cloned = clone_into(flags, cgroup.clone_fd());
  if (!cloned) {
    return std::unexpected(explain_clone(std::move(cloned).error(), flags));
  }
  if (!cloned->process) {
    trace::become(plan.staged ? trace::Track::kStage : trace::Track::kContainer);
    if (has_room(context.plan.resources.memory.limit)) {
      sys::populate_written();
    }
    channel.close();
    channel::Channel own(std::move(peer));
    if (plan.staged) {
      run_stage(context, std::move(own));
    }
    InitProcess(context, std::move(own)).run();
  }
  sys::Child process(std::move(*cloned->process));
  peer.reset();
  TRY(namespace_switch.restore());

  TRY(cgroup.add(process.pid(), cloned->into_cgroup));
  if (!plan.staged || plan.map_stage) {
    TRY(map_ids(namespaces, process.pid()));
  }
  if (!plan.staged) {
    TRY(equip(context, process.pid(), devices));
  }
  TRY(channel.send(channel::MessageType::kProceed, std::to_string(process.pid())));
  sys::populate_written();  // while the new process is at work
  if (!plan.staged) {
    return process;
  }
  sys::Child container_process = TRY(receive_from_stage(channel, process));
  if (!plan.map_stage) {
    TRY(map_ids(namespaces, container_process.pid()));
  }
  TRY(equip(context, container_process.pid(), devices));
  TRY(channel.send(channel::MessageType::kProceed, std::to_string(container_process.pid())));
  return container_process;
}

}  // namespace berth::launch
