// Finding, judging and executing the container's program.
#pragma once

#include <berth/base/error.hpp>

#include <span>
#include <string>
#include <string_view>

namespace berth::launch {

/// The file that `name` stands for, with the caller's rights: `name` itself if it has a slash, else the first
/// executable regular file of that name in the directories of $PATH in `environment`.
Result<std::string> find_program(const std::string& name, std::span<const std::string> environment);

/// Why execve(2) of `path` might fail although the file is there: an interpreter or ELF loader that does not exist,
/// another architecture, no known format. "" if nothing speaks against it. Only a guess until the kernel has refused:
/// binfmt_misc may run what looks foreign.
[[nodiscard]] std::string suspicion(const std::string& path);

/// The same for the first bytes of a file; `exists` tells whether a path can be reached.
[[nodiscard]] std::string suspicion_of_header(std::string_view header, const std::string& path,
                                              bool (*exists)(const std::string& path));

/// The payload of Executing: what the supervisor needs to explain a refusal. Both texts are cut to what a message
/// holds.
[[nodiscard]] std::string exec_announcement(std::string_view path, std::string_view suspicion);
struct ExecAnnouncement {
  std::string path;
  std::string suspicion;
};
[[nodiscard]] ExecAnnouncement read_exec_announcement(std::string_view payload);

/// What the supervisor says when the kernel refused to execute `path`.
[[nodiscard]] Error exec_error(const std::string& path, int errnum, const std::string& suspicion);

}  // namespace berth::launch
