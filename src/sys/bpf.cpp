#include <berth/sys/bpf.hpp>

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

namespace berth::sys {
namespace {

constexpr std::size_t kVerifierLogSize = 64UL * 1024;
constexpr std::size_t kAttachedLimit = 64;  // BPF_CGROUP_MAX_PROGS

long call_bpf(bpf_cmd command, bpf_attr& attributes) {
  return ::syscall(SYS_bpf, command, &attributes, sizeof attributes);
}

std::uint64_t address(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer);
}

bpf_attr load_request(std::span<const bpf_insn> program) {
  static constexpr char kLicense[] = "Apache-2.0";
  bpf_attr attributes{};
  attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  attributes.insns = address(program.data());
  attributes.insn_cnt = static_cast<std::uint32_t>(program.size());
  attributes.license = address(kLicense);
  return attributes;
}

// Lifts RLIMIT_MEMLOCK and puts it back: what runs later must not inherit it.
class MemoryLockLimit {
 public:
  MemoryLockLimit() {
    const rlimit unlimited{.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    lifted_ = ::getrlimit(RLIMIT_MEMLOCK, &before_) == 0 && ::setrlimit(RLIMIT_MEMLOCK, &unlimited) == 0;
  }
  MemoryLockLimit(const MemoryLockLimit&) = delete;
  MemoryLockLimit& operator=(const MemoryLockLimit&) = delete;
  ~MemoryLockLimit() {
    if (lifted_) {
      ::setrlimit(RLIMIT_MEMLOCK, &before_);
    }
  }
  [[nodiscard]] bool lifted() const { return lifted_; }

 private:
  rlimit before_{};
  bool lifted_ = false;
};

// The last line that says something: the verifier ends with statistics.
std::string verifier_verdict(std::span<const bpf_insn> program) {
  std::string log(kVerifierLogSize, '\0');
  bpf_attr attributes = load_request(program);
  attributes.log_level = 1;
  attributes.log_buf = address(log.data());
  attributes.log_size = static_cast<std::uint32_t>(log.size());
  const UniqueFd unexpected(static_cast<int>(call_bpf(BPF_PROG_LOAD, attributes)));
  log.resize(log.find('\0') == std::string::npos ? log.size() : log.find('\0'));
  std::string verdict;
  for (std::size_t start = 0; start < log.size();) {
    const std::size_t end = std::min(log.find('\n', start), log.size());
    if (end > start && log.compare(start, 9, "processed") != 0) {
      verdict = log.substr(start, end - start);
    }
    start = end + 1;
  }
  return verdict;
}

}  // namespace

Result<UniqueFd> load_device_program(std::span<const bpf_insn> program) {
  bpf_attr attributes = load_request(program);
  long fd = call_bpf(BPF_PROG_LOAD, attributes);
  if (fd < 0 && errno == EPERM) {
    const MemoryLockLimit limit;
    if (limit.lifted()) {
      fd = call_bpf(BPF_PROG_LOAD, attributes);
    } else {
      errno = EPERM;
    }
  }
  if (fd < 0) {
    const int errnum = errno;
    const std::string verdict = errnum == EINVAL || errnum == EACCES ? verifier_verdict(program) : std::string();
    return sys_fail(errnum, "bpf(BPF_PROG_LOAD, {} instructions{}{})", program.size(), verdict.empty() ? "" : ": ",
                    verdict);
  }
  return UniqueFd(static_cast<int>(fd));
}

Status attach_device_program(int cgroup, int program, int replaced) {
  bpf_attr attributes{};
  attributes.target_fd = static_cast<std::uint32_t>(cgroup);
  attributes.attach_bpf_fd = static_cast<std::uint32_t>(program);
  attributes.attach_type = BPF_CGROUP_DEVICE;
  attributes.attach_flags = BPF_F_ALLOW_MULTI;
  if (replaced >= 0) {
    attributes.attach_flags |= BPF_F_REPLACE;
    attributes.replace_bpf_fd = static_cast<std::uint32_t>(replaced);
  }
  if (call_bpf(BPF_PROG_ATTACH, attributes) < 0) {
    return sys_fail(errno, "bpf(BPF_PROG_ATTACH, BPF_CGROUP_DEVICE)");
  }
  return {};
}

Status detach_device_program(int cgroup, int program) {
  bpf_attr attributes{};
  attributes.target_fd = static_cast<std::uint32_t>(cgroup);
  attributes.attach_bpf_fd = static_cast<std::uint32_t>(program);
  attributes.attach_type = BPF_CGROUP_DEVICE;
  if (call_bpf(BPF_PROG_DETACH, attributes) < 0) {
    return sys_fail(errno, "bpf(BPF_PROG_DETACH, BPF_CGROUP_DEVICE)");
  }
  return {};
}

Result<std::vector<UniqueFd>> attached_device_programs(int cgroup) {
  std::array<std::uint32_t, kAttachedLimit> ids{};
  bpf_attr query{};
  query.query.target_fd = static_cast<std::uint32_t>(cgroup);
  query.query.attach_type = BPF_CGROUP_DEVICE;
  query.query.prog_ids = address(ids.data());
  query.query.prog_cnt = static_cast<std::uint32_t>(ids.size());
  if (call_bpf(BPF_PROG_QUERY, query) < 0) {
    return sys_fail(errno, "bpf(BPF_PROG_QUERY, BPF_CGROUP_DEVICE)");
  }
  std::vector<UniqueFd> programs;
  for (std::uint32_t i = 0; i < query.query.prog_cnt && i < ids.size(); ++i) {
    bpf_attr attributes{};
    attributes.prog_id = ids[i];
    const long fd = call_bpf(BPF_PROG_GET_FD_BY_ID, attributes);
    if (fd < 0) {
      return sys_fail(errno, "bpf(BPF_PROG_GET_FD_BY_ID, {})", ids[i]);
    }
    programs.emplace_back(static_cast<int>(fd));
  }
  return programs;
}

}  // namespace berth::sys
