// bpf(2), as far as device rules of cgroup2 need it.
#pragma once

#include <berth/base/error.hpp>
#include <berth/sys/unique_fd.hpp>

#include <linux/bpf.h>

#include <cstdint>
#include <span>
#include <vector>

namespace berth::sys {

/// BPF_PROG_LOAD of a BPF_PROG_TYPE_CGROUP_DEVICE program. An error carries the verifier's last words. Before
/// Linux 5.11 programs count against RLIMIT_MEMLOCK: on EPERM that limit is lifted for the duration of a second
/// attempt.
Result<UniqueFd> load_device_program(std::span<const bpf_insn> program);
/// BPF_PROG_ATTACH with BPF_F_ALLOW_MULTI to a cgroup2 directory (O_PATH is enough). A `replaced` that is not -1 is the
/// descriptor of an attached program whose place the new one takes at once (BPF_F_REPLACE, Linux 5.6).
Status attach_device_program(int cgroup, int program, int replaced = -1);
/// BPF_PROG_DETACH.
Status detach_device_program(int cgroup, int program);
/// BPF_PROG_QUERY and BPF_PROG_GET_FD_BY_ID: the device programs attached to this very cgroup, in their order.
Result<std::vector<UniqueFd>> attached_device_programs(int cgroup);

}  // namespace berth::sys
