#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <limits>

#include "plan/lowering.hpp"
#include "plan/named.hpp"

namespace berth::plan {
namespace {

using spec::Problems;
using spec::quoted;

// (uid_t)-1 means "leave it" to the system calls that set ids.
constexpr std::uint32_t kNoId = std::numeric_limits<std::uint32_t>::max();

constexpr std::array<Named<int>, 16> kRlimits = {{
    {"RLIMIT_AS", RLIMIT_AS},
    {"RLIMIT_CORE", RLIMIT_CORE},
    {"RLIMIT_CPU", RLIMIT_CPU},
    {"RLIMIT_DATA", RLIMIT_DATA},
    {"RLIMIT_FSIZE", RLIMIT_FSIZE},
    {"RLIMIT_LOCKS", RLIMIT_LOCKS},
    {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
    {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
    {"RLIMIT_NICE", RLIMIT_NICE},
    {"RLIMIT_NOFILE", RLIMIT_NOFILE},
    {"RLIMIT_NPROC", RLIMIT_NPROC},
    {"RLIMIT_RSS", RLIMIT_RSS},
    {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
    {"RLIMIT_RTTIME", RLIMIT_RTTIME},
    {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    {"RLIMIT_STACK", RLIMIT_STACK},
}};

bool is_mapped(const std::vector<IdMapping>& map, std::uint32_t id) {
  return std::ranges::any_of(
      map, [&](const IdMapping& entry) { return id >= entry.container_id && id - entry.container_id < entry.size; });
}

// An id of the process must exist in its user namespace; that of a joined one is not known here.
void check_id(Lowering& lowering, std::uint32_t id, const std::vector<IdMapping>& map, const std::string& pointer,
              std::string_view map_name) {
  if (id == kNoId) {
    lowering.problems.add(pointer, "4294967295", "an integer from 0 to 4294967294");
  } else if (lowering.plan.namespaces.creates(CLONE_NEWUSER) && !is_mapped(map, id)) {
    lowering.problems.add(pointer, fmt::format("{}", id), fmt::format("an id that /linux/{} maps", map_name));
  }
}

void lower_user(Lowering& lowering, const spec::User& user) {
  const Namespaces& namespaces = lowering.plan.namespaces;
  User& plan = lowering.plan.process.user;
  plan.uid = user.uid;
  plan.gid = user.gid;
  plan.additional_gids.assign(user.additional_gids.begin(), user.additional_gids.end());
  check_id(lowering, user.uid, namespaces.uid_mappings, "/process/user/uid", "uidMappings");
  check_id(lowering, user.gid, namespaces.gid_mappings, "/process/user/gid", "gidMappings");
  for (std::size_t index = 0; index < user.additional_gids.size(); ++index) {
    check_id(lowering, user.additional_gids[index], namespaces.gid_mappings,
             fmt::format("/process/user/additionalGids/{}", index), "gidMappings");
  }
  if (user.umask && *user.umask > 0777) {
    lowering.problems.add("/process/user/umask", fmt::format("{}", *user.umask),
                          "an integer from 0 to 511 (octal 777)");
  }
  plan.umask = user.umask.value_or(plan.umask);
}

void lower_rlimits(Lowering& lowering, const std::vector<spec::Rlimit>& rlimits) {
  std::vector<Rlimit>& plan = lowering.plan.process.rlimits;
  for (std::size_t index = 0; index < rlimits.size(); ++index) {
    const spec::Rlimit& entry = rlimits[index];
    const auto pointer = [&](std::string_view name) { return fmt::format("/process/rlimits/{}/{}", index, name); };
    const int* resource = find(kRlimits, entry.type);
    if (resource == nullptr) {
      lowering.problems.add(pointer("type"), quoted(entry.type), one_of(kRlimits));
    } else if (std::ranges::find(plan, *resource, &Rlimit::resource) != plan.end()) {
      lowering.problems.add(pointer("type"), quoted(entry.type) + " again", "each type once");
    } else if (entry.soft > entry.hard) {
      lowering.problems.add(pointer("soft"), fmt::format("{}", entry.soft),
                            fmt::format("at most the hard limit, {}", entry.hard));
    } else {
      plan.push_back({*resource, entry.soft, entry.hard});
    }
  }
}

void lower_terminal(Lowering& lowering, const spec::Process& process) {
  Process& plan = lowering.plan.process;
  plan.terminal = process.terminal;
  if (!process.terminal || !process.console_size) {
    return;  // "runtimes MUST ignore consoleSize if terminal is false"
  }
  constexpr std::uint64_t kMaximum = std::numeric_limits<std::uint16_t>::max();
  for (const auto& [value, name] :
       {std::pair{process.console_size->height, "height"}, std::pair{process.console_size->width, "width"}}) {
    if (value > kMaximum) {
      lowering.problems.add(fmt::format("/process/consoleSize/{}", name), fmt::format("{}", value),
                            fmt::format("an integer from 0 to {}", kMaximum));
    }
  }
  plan.console_size = ConsoleSize{static_cast<std::uint16_t>(process.console_size->height),
                                  static_cast<std::uint16_t>(process.console_size->width)};
}

void lower_program(Lowering& lowering, const spec::Process& process) {
  Process& plan = lowering.plan.process;
  if (process.args.empty()) {
    lowering.problems.add("/process/args", "no argument", "the program and its arguments");
  } else if (process.args.front().empty()) {
    lowering.problems.add("/process/args/0", "\"\"", "the program (executable file not found in $PATH)");
  }
  if (!process.cwd.starts_with('/')) {
    lowering.problems.add("/process/cwd", quoted(process.cwd), "an absolute path");
  }
  plan.args = process.args;
  plan.env = process.env;
  plan.cwd = process.cwd;
}

}  // namespace

void lower_process(Lowering& lowering) {
  if (!lowering.config.process) {
    return;  // allowed until start: there is nothing that it could start
  }
  const spec::Process& process = *lowering.config.process;
  Process& plan = lowering.plan.process;
  lower_program(lowering, process);
  lower_terminal(lowering, process);
  lower_user(lowering, process.user);
  lower_rlimits(lowering, process.rlimits);
  lower_scheduling(lowering, process);
  if (process.capabilities) {
    lower_capabilities(lowering, *process.capabilities);
  }
  plan.no_new_privileges = process.no_new_privileges;
  plan.apparmor_profile = process.apparmor_profile;
  plan.selinux_label = process.selinux_label;
  if (const auto& score = process.oom_score_adj; score) {
    if (*score < -1000 || *score > 1000) {
      lowering.problems.add("/process/oomScoreAdj", fmt::format("{}", *score), "an integer from -1000 to 1000");
    }
    plan.oom_score_adj = static_cast<int>(*score);
  }
}

}  // namespace berth::plan
