#include "security/libseccomp_filter.hpp"

#include <berth/sys/file.hpp>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace berth::security {

Result<LibseccompFilter> LibseccompFilter::create(std::uint32_t default_action, std::span<const Abi> abis) {
  // Level 6 has all actions and flags (Linux 5.7). Said beforehand it spares libseccomp about ten trial calls of
  // seccomp(2); a kernel that lacks one of them refuses when the filter is loaded.
  constexpr unsigned kApiLevel = 6;
  ::seccomp_api_set(kApiLevel);
  scmp_filter_ctx context = ::seccomp_init(default_action);
  if (context == nullptr) {
    return fail(ErrorKind::kInternal, "seccomp_init(action {:#x})", default_action);
  }
  LibseccompFilter filter(context);
  const std::uint32_t native = ::seccomp_arch_native();
  for (const Abi& abi : abis) {
    const int result = abi.token == native ? 0 : ::seccomp_arch_add(context, abi.token);
    if (result != 0) {
      Error error = Error::system(-result, fmt::format("/linux/seccomp/architectures: seccomp_arch_add({})", abi.name));
      error.set_kind(ErrorKind::kConfig);
      if (result == -EDOM) {
        error.add_hint("its byte order is not this machine's");
      }
      return std::unexpected(std::move(error));
    }
  }
  // Each new filter has the native architecture.
  if (std::ranges::find(abis, native, &Abi::token) == abis.end()) {
    ::seccomp_arch_remove(context, native);
  }
  return filter;
}

Status LibseccompFilter::add_rule(std::string_view name, int number, std::uint32_t action,
                                  std::span<const scmp_arg_cmp> arguments) {
  const int result = ::seccomp_rule_add_array(context_.get(), action, number, static_cast<unsigned>(arguments.size()),
                                              arguments.data());
  if (result == 0) {
    return {};
  }
  Error error = Error::system(-result, fmt::format("seccomp rule for {}", name));
  error.set_kind(ErrorKind::kConfig);
  if (result == -EEXIST) {
    error.add_hint("another rule gives the same call another action");
  }
  return std::unexpected(std::move(error));
}

Status LibseccompFilter::merge(LibseccompFilter other) {
  const int result = ::seccomp_merge(context_.get(), other.context_.get());
  if (result < 0) {
    return sys_fail(-result, "seccomp_merge");
  }
  // libseccomp has freed it.
  [[maybe_unused]] const scmp_filter_ctx merged = other.context_.release();
  return {};
}

Result<std::vector<sock_filter>> LibseccompFilter::compile() const {
  // libseccomp 2.5 writes to a descriptor only. A memory file has room for all of it, where a pipe could block.
  const sys::UniqueFd file = TRY(sys::memory_file("seccomp", false));
  const int result = ::seccomp_export_bpf(context_.get(), file.get());
  if (result < 0) {
    return sys_fail(-result, "seccomp_export_bpf");
  }
  const struct stat status = TRY(sys::stat_fd(file.get(), "seccomp filter"));
  std::vector<sock_filter> program(static_cast<std::size_t>(status.st_size) / sizeof(sock_filter));
  TRY(sys::read_at(file.get(), std::as_writable_bytes(std::span(program)), 0, "seccomp filter"));
  return program;
}

}  // namespace berth::security
