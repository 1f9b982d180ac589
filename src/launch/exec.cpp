#include <berth/base/trace.hpp>
#include <berth/launch/exec.hpp>
#include <berth/procattr/attributes.hpp>
#include <berth/security/seccomp.hpp>
#include <berth/sys/memory.hpp>
#include <berth/sys/socket.hpp>

#include "launch/exec_process.hpp"
#include "launch/spawn.hpp"

namespace berth::launch {

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
  Cloned cloned = TRY(clone_into(0, cgroup.clone_fd()));
  if (!cloned.process) {
    trace::become(trace::Track::kContainer);
    sys::populate_written();
    channel.close();
    ExecProcess(context, channel::Channel(std::move(sockets.second))).run();
  }
  sys::Child stage(std::move(*cloned.process));
  sockets.second.reset();
  TRY(cgroup.add(stage.pid(), cloned.into_cgroup));
  TRY(channel.send(channel::MessageType::kProceed));
  sys::populate_written();  // while the new process is at work
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
