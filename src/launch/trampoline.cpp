#include "launch/trampoline.hpp"

#include <berth/channel/channel.hpp>
#include <berth/sys/file.hpp>
#include <berth/sys/seccomp.hpp>

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "launch/trampoline.h"

extern "C" {
extern const char berth_trampoline_begin[];  // NOLINT(readability-identifier-naming): the linker's
extern const char berth_trampoline_end[];    // NOLINT(readability-identifier-naming)
}

namespace berth::launch {
namespace {

constexpr bool is(int message, channel::MessageType type) {
  return message == static_cast<int>(type);
}
static_assert(is(kMessageProceed, channel::MessageType::kProceed) &&
              is(kMessageCloned, channel::MessageType::kCloned) && is(kMessageReady, channel::MessageType::kReady) &&
              is(kMessageCommitted, channel::MessageType::kCommitted) &&
              is(kMessageStart, channel::MessageType::kStart) &&
              is(kMessageExecuting, channel::MessageType::kExecuting) &&
              is(kMessageTrampolineFailed, channel::MessageType::kTrampolineFailed));

template <class T>
void append(std::string& bytes, const T& value) {
  std::array<char, sizeof value> raw{};
  std::memcpy(raw.data(), &value, sizeof value);
  bytes.append(raw.data(), raw.size());
}

void split(std::uint64_t mask, __u32 (&words)[2]) {
  constexpr unsigned kWordBits = 32;
  words[0] = static_cast<__u32>(mask);
  words[1] = static_cast<__u32>(mask >> kWordBits);
}

// The trampoline's one segment, which begins with the headers of the file.
std::string_view segment() {
  return {berth_trampoline_begin, static_cast<std::size_t>(berth_trampoline_end - berth_trampoline_begin)};
}

constexpr std::size_t kSegmentHeader = sizeof(Elf64_Ehdr);  // where the first program header is

std::string image_with(std::string_view plan) {
  Elf64_Phdr header{};
  std::memcpy(&header, segment().data() + kSegmentHeader, sizeof header);
  std::string image(segment().substr(0, header.p_filesz));
  image += plan;
  header.p_filesz = header.p_memsz = image.size();
  std::memcpy(image.data() + kSegmentHeader, &header, sizeof header);
  return image;
}

Error failure(int what, int errnum, const ExecAnnouncement& announcement) {
  switch (what) {
    case kSelinuxLabelFailed:
      return security::label_error(Error::system(errnum, "write(attr/exec)"), security::LabelModule::kSelinux);
    case kApparmorProfileFailed:
      return security::label_error(Error::system(errnum, "write(attr/exec)"), security::LabelModule::kApparmor);
    case kForkFailed: {
      Error error = Error::system(errnum, "clone3 into the container's pid namespace");
      if (errnum == ENOMEM) {
        error.add_hint("the container's first process may have ended");
      } else if (errnum == EAGAIN) {
        error.add_hint("the container's pids limit, or the user's RLIMIT_NPROC, is reached");
      }
      return error.add_context("pid namespace");
    }
    case kTerminalFailed:
      return Error::system(errnum, "ioctl(TIOCSCTTY)").add_context("terminal");
    case kFilterFailed:
      return sys::seccomp_error(errnum, "seccomp(SECCOMP_SET_MODE_FILTER)").add_context("seccomp");
    case kCapabilitiesFailed:
      return Error::system(errnum, "capset").add_context("credentials");
    case kExecFailed:
      return exec_error(announcement.path, errnum, announcement.suspicion);
    default:
      return {ErrorKind::kInternal, fmt::format("the trampoline reported the unknown failure {}", what)};
  }
}

}  // namespace

Result<sys::UniqueFd> make_trampoline(const security::FilterProgram* filter, const plan::Capabilities& capabilities,
                                      bool filter_needs_admin) {
  trampoline_plan plan{};
  plan.filter_needs_admin = filter_needs_admin ? 1 : 0;
  split(capabilities.effective, plan.effective);
  split(capabilities.permitted, plan.permitted);
  split(capabilities.inheritable, plan.inheritable);
  std::string bytes;
  if (filter != nullptr) {
    plan.filter_flags = filter->load_flags();
    plan.filter_length = static_cast<__u32>(filter->instructions().size());
  }
  append(bytes, plan);
  if (filter != nullptr) {
    for (const sock_filter& instruction : filter->instructions()) {
      append(bytes, instruction);
    }
  }
  sys::UniqueFd fd = TRY(sys::memory_file("berth-trampoline", true));
  TRY(sys::write_all(fd.get(), image_with(bytes), "trampoline"));
  TRY(sys::seal_memory_file(fd.get()));
  return fd;
}

ExecVectors::ExecVectors(std::vector<std::string> arguments, std::span<const std::string> environment)
    : arguments_(std::move(arguments)), environment_(environment.begin(), environment.end()) {
  for (std::string& argument : arguments_) {
    argv_.push_back(argument.data());
  }
  argv_.push_back(nullptr);
  for (std::string& variable : environment_) {
    envp_.push_back(variable.data());
  }
  envp_.push_back(nullptr);
}

ExecVectors trampoline_vectors(const TrampolineSteps& steps, const std::string& path, std::string_view suspicion,
                               std::span<const std::string> arguments, std::span<const std::string> environment) {
  unsigned phases = steps.phases;
  for (const security::ExecLabel& label : steps.labels) {
    phases |= label.module == security::LabelModule::kSelinux ? kSetsSelinuxLabel : kSetsApparmorProfile;
  }
  std::vector<std::string> all = {
      fmt::format("{} {} {} {} {}", phases, steps.channel, steps.terminal, steps.start_socket, steps.procfs), path,
      std::string(suspicion)};
  for (const security::ExecLabel& label : steps.labels) {
    all.push_back(label.file);
    all.push_back(label.text);
  }
  all.insert(all.end(), arguments.begin(), arguments.end());
  return {std::move(all), environment};
}

int exec_trampoline(int trampoline, const ExecVectors& vectors) {
  ::syscall(SYS_execveat, trampoline, "", vectors.argv(), vectors.envp(), AT_EMPTY_PATH);
  return errno;
}

Error trampoline_error(std::string_view payload, const ExecAnnouncement& announcement) {
  int what = -1;
  int errnum = EIO;
  if (payload.size() == 1 + sizeof errnum) {
    what = static_cast<unsigned char>(payload.front());
    std::memcpy(&errnum, payload.data() + 1, sizeof errnum);
  }
  return failure(what, errnum, announcement);
}

}  // namespace berth::launch
