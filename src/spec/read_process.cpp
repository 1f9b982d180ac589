#include "spec/read_config.hpp"

namespace berth::spec {

void read(const Cursor& at, ConsoleSize& size) {
  Fields(at).required("height", size.height).required("width", size.width);
}

void read(const Cursor& at, User& user) {
  Fields(at)
      .optional("uid", user.uid)
      .optional("gid", user.gid)
      .optional("umask", user.umask)
      .optional("additionalGids", user.additional_gids);
}

void read(const Cursor& at, Capabilities& capabilities) {
  Fields(at)
      .optional("bounding", capabilities.bounding)
      .optional("effective", capabilities.effective)
      .optional("inheritable", capabilities.inheritable)
      .optional("permitted", capabilities.permitted)
      .optional("ambient", capabilities.ambient);
}

void read(const Cursor& at, Rlimit& rlimit) {
  Fields(at).required("type", rlimit.type).required("soft", rlimit.soft).required("hard", rlimit.hard);
}

void read(const Cursor& at, Scheduler& scheduler) {
  Fields(at)
      .required("policy", scheduler.policy)
      .optional("nice", scheduler.nice)
      .optional("priority", scheduler.priority)
      .optional("flags", scheduler.flags)
      .optional("runtime", scheduler.runtime)
      .optional("deadline", scheduler.deadline)
      .optional("period", scheduler.period);
}

void read(const Cursor& at, IoPriority& priority) {
  Fields(at).required("class", priority.io_class).optional("priority", priority.priority);
}

void read(const Cursor& at, ExecCpuAffinity& affinity) {
  Fields(at).optional("initial", affinity.initial).optional("final", affinity.final);
}

void read(const Cursor& at, Process& process) {
  Fields(at)
      .optional("terminal", process.terminal)
      .optional("consoleSize", process.console_size)
      .optional("user", process.user)
      .optional("args", process.args)
      .optional("env", process.env)
      .required("cwd", process.cwd)
      .optional("capabilities", process.capabilities)
      .optional("rlimits", process.rlimits)
      .optional("noNewPrivileges", process.no_new_privileges)
      .optional("apparmorProfile", process.apparmor_profile)
      .optional("selinuxLabel", process.selinux_label)
      .optional("oomScoreAdj", process.oom_score_adj)
      .optional("scheduler", process.scheduler)
      .optional("ioPriority", process.io_priority)
      .optional("execCPUAffinity", process.exec_cpu_affinity);
}

}  // namespace berth::spec
