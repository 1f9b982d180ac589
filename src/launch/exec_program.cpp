#include "launch/exec_program.hpp"

#include <berth/sys/file.hpp>

#include <elf.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

namespace berth::launch {
namespace {

#if defined(__x86_64__)
constexpr Elf64_Half kOwnMachine = EM_X86_64;
constexpr Elf64_Half kCompatibleMachine = EM_386;
#elif defined(__aarch64__)
constexpr Elf64_Half kOwnMachine = EM_AARCH64;
constexpr Elf64_Half kCompatibleMachine = EM_ARM;
#endif

std::string_view machine_name(Elf64_Half machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86-64";
    case EM_386:
      return "i386";
    case EM_AARCH64:
      return "aarch64";
    case EM_ARM:
      return "arm";
    case EM_RISCV:
      return "riscv";
    case EM_PPC64:
      return "ppc64";
    case EM_S390:
      return "s390";
    default:
      return "another";
  }
}

// Reads a structure at `offset` of the header; false if the header is too short.
template <class T>
bool take(std::string_view header, std::uint64_t offset, T& value) {
  if (offset > header.size() || header.size() - offset < sizeof value) {
    return false;
  }
  std::memcpy(&value, header.data() + offset, sizeof value);
  return true;
}

std::string suspicion_of_script(std::string_view header, bool (*exists)(const std::string& path)) {
  std::string_view line =
      header.substr(2, header.find('\n') == std::string_view::npos ? std::string_view::npos : header.find('\n') - 2);
  const std::size_t begin = line.find_first_not_of(" \t");
  if (begin == std::string_view::npos) {
    return "its #! line names no interpreter";
  }
  line.remove_prefix(begin);
  const std::string interpreter(line.substr(0, line.find_first_of(" \t")));
  if (exists(interpreter)) {
    return {};
  }
  if (interpreter.ends_with('\r')) {
    return fmt::format("its #! line ends in a carriage return: the interpreter \"{}\" does not exist in the rootfs",
                       one_line(interpreter));
  }
  return fmt::format("its #! interpreter {} does not exist in the rootfs or cannot be executed", interpreter);
}

template <class Header, class Segment>
std::string suspicion_of_elf(std::string_view bytes, bool (*exists)(const std::string& path)) {
  Header header{};
  if (!take(bytes, 0, header)) {
    return "it is a truncated ELF file";
  }
  if (header.e_machine != kOwnMachine && header.e_machine != kCompatibleMachine) {
    return fmt::format("it is built for the {} architecture, this machine is {}", machine_name(header.e_machine),
                       machine_name(kOwnMachine));
  }
  for (unsigned index = 0; index < header.e_phnum; ++index) {
    Segment segment{};
    if (!take(bytes, header.e_phoff + std::uint64_t{index} * header.e_phentsize, segment)) {
      return {};
    }
    if (segment.p_type != PT_INTERP || segment.p_offset >= bytes.size()) {
      continue;
    }
    std::string_view name = bytes.substr(segment.p_offset, segment.p_filesz);
    const std::string loader(name.substr(0, name.find('\0')));
    if (!exists(loader)) {
      return fmt::format("its ELF loader {} does not exist in the rootfs", loader);
    }
  }
  return {};
}

bool executable_exists(const std::string& path) {
  return ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0;
}

// Why a file that exists cannot be executed, for the error of find_program.
Error access_error(const std::string& path, int errnum) {
  Error error = Error::system(errnum, fmt::format("exec \"{}\"", path));
  error.set_kind(ErrorKind::kExec);
  const auto status = sys::stat_at(AT_FDCWD, path, 0);
  if (!status) {
    return error;
  }
  if (S_ISDIR(status->st_mode)) {
    error.add_hint("it is a directory");
    return error;
  }
  if (!S_ISREG(status->st_mode)) {
    error.add_hint("it is no regular file");
    return error;
  }
  struct statvfs filesystem {};
  if (::statvfs(path.c_str(), &filesystem) == 0 && (filesystem.f_flag & ST_NOEXEC) != 0) {
    error.add_hint("it is on a mount with the option noexec");
  } else if ((status->st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0) {
    error.add_hint("it has no execute permission: chmod +x");
  } else {
    error.add_hint("the container's user may not execute it");
  }
  return error;
}

Status check_executable(const std::string& path) {
  if (!executable_exists(path)) {
    return std::unexpected(access_error(path, errno));
  }
  const struct stat status = TRY(sys::stat_at(AT_FDCWD, path, 0));
  if (!S_ISREG(status.st_mode)) {
    return std::unexpected(access_error(path, EACCES));
  }
  return {};
}

}  // namespace

Result<std::string> find_program(const std::string& name, std::span<const std::string> environment) {
  if (name.find('/') != std::string::npos) {
    TRY(check_executable(name));
    return name;
  }
  std::string_view search = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  for (const std::string& variable : environment) {
    if (variable.starts_with("PATH=")) {
      search = std::string_view(variable).substr(5);
    }
  }
  const std::string all(search);
  std::optional<Error> refused;
  while (!search.empty()) {
    const std::size_t colon = search.find(':');
    const std::string_view directory = search.substr(0, colon);
    search.remove_prefix(colon == std::string_view::npos ? search.size() : colon + 1);
    if (!directory.starts_with('/')) {
      continue;  // a relative entry would make the program depend on the working directory
    }
    std::string candidate = fmt::format("{}/{}", directory, name);
    auto found = check_executable(candidate);
    if (found) {
      return candidate;
    }
    // What is there but may not be executed explains more than "not found", if nothing better follows.
    if (!refused && !found.error().is(ENOENT) && !found.error().is(ENOTDIR)) {
      refused = std::move(found).error();
    }
  }
  if (refused) {
    return std::unexpected(std::move(*refused));
  }
  Error error(ErrorKind::kExec, fmt::format("exec: \"{}\": executable file not found in $PATH", name));
  error.add_hint(fmt::format("PATH={}", all));
  return std::unexpected(std::move(error));
}

std::string suspicion_of_header(std::string_view header, const std::string& path,
                                bool (*exists)(const std::string& path)) {
  if (header.empty()) {
    return fmt::format("{} is empty", path);
  }
  if (header.starts_with("#!")) {
    return suspicion_of_script(header, exists);
  }
  if (!header.starts_with(ELFMAG)) {
    return "it is neither an ELF file nor a script with a #! line";
  }
  if (header.size() <= EI_CLASS || header[EI_CLASS] == ELFCLASS64) {
    return suspicion_of_elf<Elf64_Ehdr, Elf64_Phdr>(header, exists);
  }
  return suspicion_of_elf<Elf32_Ehdr, Elf32_Phdr>(header, exists);
}

std::string suspicion(const std::string& path) {
  constexpr std::size_t kHeaderSize = 4096;
  const auto fd = sys::open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK);
  if (!fd) {
    return {};  // a program may be executable and not readable
  }
  std::array<char, kHeaderSize> header{};
  const ssize_t length = ::read(fd->get(), header.data(), header.size());
  if (length < 0) {
    return {};
  }
  return suspicion_of_header({header.data(), static_cast<std::size_t>(length)}, path, executable_exists);
}

std::string exec_announcement(std::string_view path, std::string_view suspicion) {
  constexpr std::size_t kMaxPath = 4096;  // PATH_MAX
  constexpr std::size_t kMaxSuspicion = 1024;
  std::string payload(path.substr(0, kMaxPath));
  payload += '\0';  // the one character that a path cannot have
  payload += suspicion.substr(0, kMaxSuspicion);
  return payload;
}

ExecAnnouncement read_exec_announcement(std::string_view payload) {
  const std::size_t border = std::min(payload.find('\0'), payload.size());
  return {.path = std::string(payload.substr(0, border)),
          .suspicion = std::string(payload.substr(std::min(border + 1, payload.size())))};
}

Error exec_error(const std::string& path, int errnum, const std::string& suspicion) {
  Error error = Error::system(errnum, fmt::format("exec \"{}\"", path));
  error.set_kind(ErrorKind::kExec);
  if (!suspicion.empty()) {
    error.add_hint(suspicion);
  } else if (errnum == E2BIG) {
    error.add_hint("arguments and environment are larger than the kernel takes");
  } else if (errnum == ENOMEM) {
    error.add_hint("the memory limit may be too low");
  }
  return error;
}

}  // namespace berth::launch
