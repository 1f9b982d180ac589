#include <berth/base/trace.hpp>
#include <berth/launch/exec.hpp>
#include <berth/procattr/attributes.hpp>
#include <berth/security/seccomp.hpp>
#include <berth/sys/memory.hpp>
#include <berth/sys/socket.hpp>

#include "launch/exec_process.hpp"
#include "launch/shared_memory.hpp"
#include "launch/spawn.hpp"

namespace berth::launch {
namespace {

// Whether the stage can do its work in this process' memory: nobody of the container sees it, and neither a freezer nor
// a time namespace, which only a process with memory of its own can join, is in its way.
bool can_share_memory(const ExecContext& context, const cgroup::Cgroup& cgroup) {
  constexpr std::uint64_t kNewTime = 0x00000080;  // CLONE_NEWTIME
  return sys::knows_shared_memory() && context.process.trampoline_takes_over && context.options.may_share_memory &&
         (context.join_flags & static_cast<unsigned>(CLONE_NEWPID)) != 0 &&
         (context.join_flags & (kNewTime | static_cast<unsigned>(CLONE_NEWUSER))) == 0 && cgroup.clone_suffices();
}

Result<std::optional<sys::Child>> stage_in_own_memory(ExecContext& context, cgroup::Cgroup& cgroup,
                                                      channel::Channel& channel, sys::UniqueFd& peer) {
  context.process.shares_memory = true;
  auto body = [&context, &peer]() noexcept {
    trace::become(trace::Track::kContainer);
    ExecProcess(context, channel::Channel(sys::UniqueFd(peer.get()))).run();
  };
  auto cloned = clone_sharing_memory(0, cgroup, body);
  context.process.shares_memory = false;
  if (auto stage = TRY(std::move(cloned))) {
    peer.reset();
    TRY(channel.count_as_said(channel::MessageType::kProceed));
    return std::optional(sys::Child(std::move(*stage)));
  }
  return std::optional<sys::Child>();
}

Result<sys::Child> start_stage(ExecContext& context, cgroup::Cgroup& cgroup, channel::Channel& channel,
                               sys::UniqueFd peer) {
  if (can_share_memory(context, cgroup)) {
    if (auto stage = TRY(stage_in_own_memory(context, cgroup, channel, peer))) {
      return std::move(*stage);
    }
  }
  Cloned cloned = TRY(clone_into(0, cgroup.clone_fd()));
  if (!cloned.process) {
    trace::become(trace::Track::kContainer);
    sys::populate_written();
    channel.close();
    ExecProcess(context, channel::Channel(std::move(peer))).run();
  }
  sys::Child stage(std::move(*cloned.process));
  peer.reset();
  TRY(cgroup.add(stage.pid(), cloned.into_cgroup));
  TRY(channel.send(channel::MessageType::kProceed));
  sys::populate_written();  // while the new process is at work
  return stage;
}

}  // namespace

Result<LaunchedProcess> exec(const plan::ContainerPlan& plan, const sys::Pidfd& init, cgroup::Cgroup& cgroup,
                             const ExecOptions& options) {
  std::optional<security::FilterProgram> filter;
  if (plan.seccomp) {
    const trace::Span span("seccomp filter");
    filter = TRY_CONTEXT(security::FilterProgram::compile(*plan.seccomp, options.filter_cache), "seccomp");
  }
  ExecContext context{.options = options,
                      .init = init,
                      .process = TRY(make_process_context(plan.process, filter ? &*filter : nullptr, options.passed))};
  context.at_once = options.at_once && context.process.trampoline_takes_over;
  sys::SocketPair sockets = TRY(sys::SocketPair::create());
  channel::Channel channel(std::move(sockets.first));

  TRY(sys::set_undumpable());  // inherited by the new process
  TRY_CONTEXT(procattr::set_affinity(plan.process.exec_affinity.initial), "/process/execCPUAffinity/initial");
  context.join_flags = options.namespaces;
  const trace::Span span("clone, until the process is ready");
  sys::Child stage = TRY(start_stage(context, cgroup, channel, std::move(sockets.second)));
  TRY(options.placed());
  // In a paused container it comes to nothing before somebody resumes that.
  TRY(await_message(channel, options.interrupt_fd));
  sys::Child child = TRY(receive_from_stage(channel, stage));
  if (options.rdt != nullptr) {
    TRY_CONTEXT(rdt::add(*options.rdt, child.pid()), "intelRdt");
  }
  // From here, with the caller's rights: not every policy allows a fork, or outlives one.
  TRY(procattr::set_scheduler(child.pid(), plan.process.scheduler));
  TRY(channel.send(channel::MessageType::kProceed));
  if (context.at_once) {
    return LaunchedProcess::of_committed(std::move(child), std::move(channel));
  }
  sys::UniqueFd terminal = TRY(await_ready(channel, child, options.interrupt_fd, [] { return Status(); }));
  return LaunchedProcess({}, std::move(child), std::move(channel), std::move(terminal));
}

}  // namespace berth::launch
