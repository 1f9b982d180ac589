#include <berth/ns/id_map.hpp>
#include <berth/sys/file.hpp>
#include <berth/sys/process.hpp>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>

namespace berth::ns {
namespace {

// Fixed places of the host, never found in $PATH: a set-user-id helper is trusted by its path.
constexpr const char* kNewUidMap = "/usr/bin/newuidmap";
constexpr const char* kNewGidMap = "/usr/bin/newgidmap";
constexpr std::size_t kMaxMapText = 65536;  // of /proc/PID/uid_map: at most 340 lines of 33 bytes

Status run_helper(const char* helper, pid_t pid, std::span<const plan::IdMapping> mappings) {
  std::vector<std::string> arguments = {helper, std::to_string(pid)};
  for (const plan::IdMapping& mapping : mappings) {
    arguments.push_back(std::to_string(mapping.container_id));
    arguments.push_back(std::to_string(mapping.host_id));
    arguments.push_back(std::to_string(mapping.size));
  }
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) {
    argv.push_back(argument.data());
  }
  argv.push_back(nullptr);

  auto cloned = TRY(sys::clone_process(0, -1));
  if (!cloned) {
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    char* const no_environment[] = {nullptr};
    ::execve(helper, argv.data(), no_environment);
    ::_exit(127);
  }
  sys::Child child(std::move(*cloned));
  const sys::ExitStatus status = TRY(child.reap());
  if (status.code == 127 && status.signal == 0) {
    return fail(ErrorKind::kSystem, "{} cannot be run; it comes with the package uidmap", helper);
  }
  if (status.shell_status() != 0) {
    Error error(ErrorKind::kSystem, fmt::format("{}: {}", helper, status.describe()));
    error.add_hint("the caller's ranges are in /etc/subuid and /etc/subgid");
    return std::unexpected(std::move(error));
  }
  return {};
}

Status write_map(pid_t pid, const char* file, const char* helper, std::span<const plan::IdMapping> mappings,
                 std::uint32_t own_id) {
  if (mappings.empty()) {
    return {};
  }
  if (::geteuid() != 0 && !maps_only(mappings, own_id)) {
    return run_helper(helper, pid, mappings);
  }
  return sys::write_file(AT_FDCWD, fmt::format("/proc/{}/{}", pid, file), id_map_text(mappings));
}

Status check_map(pid_t pid, const char* file, const char* property, std::span<const plan::IdMapping> mappings) {
  if (mappings.empty()) {
    return {};
  }
  const std::string found = TRY(sys::read_file(AT_FDCWD, fmt::format("/proc/{}/{}", pid, file), kMaxMapText));
  if (!is_id_map(found, mappings)) {
    return fail(ErrorKind::kConfig,
                "config.json: /linux/{}: got mappings that the user namespace that is joined does not have, expected "
                "those that it has, or none",
                property);
  }
  return {};
}

}  // namespace

bool is_id_map(std::string_view text, std::span<const plan::IdMapping> mappings) {
  std::vector<std::uint32_t> numbers;
  while (!text.empty()) {
    const std::size_t blanks = std::min(text.find_first_not_of(" \n"), text.size());
    const char* const begin = text.data() + blanks;
    const char* const end = text.data() + text.size();
    std::uint32_t number = 0;
    const auto parsed = std::from_chars(begin, end, number);
    if (parsed.ec != std::errc()) {
      break;
    }
    numbers.push_back(number);
    text = {parsed.ptr, end};
  }
  std::vector<plan::IdMapping> found;
  for (std::size_t index = 0; index + 3 <= numbers.size(); index += 3) {
    found.push_back({numbers[index], numbers[index + 1], numbers[index + 2]});
  }
  return std::ranges::is_permutation(found, mappings);
}

std::string id_map_text(std::span<const plan::IdMapping> mappings) {
  std::string text;
  for (const plan::IdMapping& mapping : mappings) {
    text += fmt::format("{} {} {}\n", mapping.container_id, mapping.host_id, mapping.size);
  }
  return text;
}

bool maps_only(std::span<const plan::IdMapping> mappings, std::uint32_t id) {
  return mappings.size() == 1 && mappings.front().host_id == id && mappings.front().size == 1;
}

Status write_id_maps(pid_t pid, std::span<const plan::IdMapping> uid_mappings,
                     std::span<const plan::IdMapping> gid_mappings) {
  if (::geteuid() != 0 && maps_only(gid_mappings, ::getegid())) {
    // Without privilege the kernel takes a gid map only after setgroups(2) was given up for good (CVE-2014-8989).
    TRY(sys::write_file(AT_FDCWD, fmt::format("/proc/{}/setgroups", pid), "deny"));
  }
  TRY_CONTEXT(write_map(pid, "gid_map", kNewGidMap, gid_mappings, ::getegid()), "map the container's gids");
  TRY_CONTEXT(write_map(pid, "uid_map", kNewUidMap, uid_mappings, ::geteuid()), "map the container's uids");
  return {};
}

Status check_id_maps(pid_t pid, std::span<const plan::IdMapping> uid_mappings,
                     std::span<const plan::IdMapping> gid_mappings) {
  TRY(check_map(pid, "uid_map", "uidMappings", uid_mappings));
  return check_map(pid, "gid_map", "gidMappings", gid_mappings);
}

Result<sys::UniqueFd> make_user_namespace(std::span<const plan::IdMapping> uid_mappings,
                                          std::span<const plan::IdMapping> gid_mappings) {
  const pid_t parent = sys::own_pid();
  auto cloned = TRY(sys::clone_process(CLONE_NEWUSER, -1));
  if (!cloned) {
    // A parent that was killed before it could be asked for sends no signal: nobody would end this one.
    while (sys::die_with_parent() && ::getppid() == parent) {
      ::pause();
    }
    ::_exit(1);
  }
  const sys::Child child(std::move(*cloned));
  TRY(write_id_maps(child.pid(), uid_mappings, gid_mappings));
  return sys::open_at(AT_FDCWD, fmt::format("/proc/{}/ns/user", child.pid()), O_RDONLY);
}

}  // namespace berth::ns
