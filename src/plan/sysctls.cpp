#include <sched.h>

#include <algorithm>
#include <array>

#include "plan/lowering.hpp"

namespace berth::plan {
namespace {

using spec::quoted;

constexpr std::array<std::string_view, 8> kIpcSysctls = {"kernel/msgmax", "kernel/msgmnb",         "kernel/msgmni",
                                                         "kernel/sem",    "kernel/shmall",         "kernel/shmmax",
                                                         "kernel/shmmni", "kernel/shm_rmid_forced"};

// As sysctl.d(5): if the first separator is a dot, dots and slashes change places (net.ipv4.conf.eth0/1.forwarding).
std::string sysctl_path(std::string_view name) {
  std::string path(name);
  const std::size_t separator = path.find_first_of("./");
  if (separator == std::string::npos || path[separator] == '/') {
    return path;
  }
  std::ranges::transform(path, path.begin(), [](char character) {
    return character == '.' ? '/' : character == '/' ? '.' : character;
  });
  return path;
}

bool has_plain_components(std::string_view path) {
  const std::string framed = fmt::format("/{}/", path);
  return std::ranges::none_of(std::array<std::string_view, 3>{"//", "/./", "/../"},
                              [&](std::string_view component) { return framed.find(component) != std::string::npos; });
}

// Why this sysctl cannot be set for the container alone; empty if it can.
std::string_view objection(const Namespaces& namespaces, std::string_view path) {
  if (!has_plain_components(path)) {
    return "a name of plain components";
  }
  if (path == "kernel/hostname") {
    return "the property /hostname instead";
  }
  if (std::ranges::find(kIpcSysctls, path) != kIpcSysctls.end() || path.starts_with("fs/mqueue/")) {
    return namespaces.has(CLONE_NEWIPC) ? "" : "an ipc namespace in /linux/namespaces: the value would be the host's";
  }
  if (path.starts_with("net/")) {
    return namespaces.has(CLONE_NEWNET) ? ""
                                        : "a network namespace in /linux/namespaces: the value would be the host's";
  }
  if (path == "kernel/domainname") {
    return namespaces.has(CLONE_NEWUTS) ? "" : "a uts namespace in /linux/namespaces: the value would be the host's";
  }
  if (path.starts_with("user/")) {
    return namespaces.has(CLONE_NEWUSER) ? "" : "a user namespace in /linux/namespaces: the value would be the host's";
  }
  return "a sysctl that a namespace has its own value of";
}

}  // namespace

void lower_sysctls(Lowering& lowering) {
  std::vector<Sysctl>& sysctls = lowering.plan.namespaces.sysctls;
  for (const auto& [name, value] : lowering.linux.sysctl) {
    const std::string pointer = "/linux/sysctl" + spec::pointer_step(name);
    std::string path = sysctl_path(name);
    if (const std::string_view expected = objection(lowering.plan.namespaces, path); !expected.empty()) {
      lowering.problems.add(pointer, quoted(value), expected);
    } else if (std::ranges::any_of(sysctls, [&](const Sysctl& other) { return other.path == path; })) {
      lowering.problems.add(pointer, "the sysctl twice", "it once, with dots or with slashes");
    } else {
      sysctls.push_back({std::move(path), value});
    }
  }
}

}  // namespace berth::plan
