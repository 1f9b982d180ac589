#include <berth/sys/credentials.hpp>

#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace berth::sys {
namespace {

// The calls themselves: glibc's wrappers would ask all threads to follow. 32-bit architectures have older calls with
// 16-bit ids under these names.
#if defined(SYS_setresuid32)
constexpr long kSetGroups = SYS_setgroups32;
constexpr long kSetResGid = SYS_setresgid32;
constexpr long kSetResUid = SYS_setresuid32;
#else
constexpr long kSetGroups = SYS_setgroups;
constexpr long kSetResGid = SYS_setresgid;
constexpr long kSetResUid = SYS_setresuid;
#endif

constexpr unsigned kWordBits = 32;

}  // namespace

Result<CapabilitySets> get_capabilities() {
  __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capget, &header, data) < 0) {
    return sys_fail(errno, "capget");
  }
  return CapabilitySets{
      .effective = std::uint64_t{data[1].effective} << kWordBits | data[0].effective,
      .permitted = std::uint64_t{data[1].permitted} << kWordBits | data[0].permitted,
      .inheritable = std::uint64_t{data[1].inheritable} << kWordBits | data[0].inheritable,
  };
}

Status set_capabilities(const CapabilitySets& sets) {
  __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  for (unsigned word = 0; word < _LINUX_CAPABILITY_U32S_3; ++word) {
    data[word].effective = static_cast<__u32>(sets.effective >> (word * kWordBits));
    data[word].permitted = static_cast<__u32>(sets.permitted >> (word * kWordBits));
    data[word].inheritable = static_cast<__u32>(sets.inheritable >> (word * kWordBits));
  }
  if (::syscall(SYS_capset, &header, data) < 0) {
    return sys_fail(errno, "capset(effective {:#x}, permitted {:#x}, inheritable {:#x})", sets.effective,
                    sets.permitted, sets.inheritable);
  }
  return {};
}

Status set_groups(std::span<const gid_t> groups) {
  if (::syscall(kSetGroups, groups.size(), groups.data()) < 0) {
    return sys_fail(errno, "setgroups({} groups)", groups.size());
  }
  return {};
}

Status set_gid(gid_t gid) {
  if (::syscall(kSetResGid, gid, gid, gid) < 0) {
    return sys_fail(errno, "setresgid({})", gid);
  }
  return {};
}

Status set_uid(uid_t uid) {
  if (::syscall(kSetResUid, uid, uid, uid) < 0) {
    return sys_fail(errno, "setresuid({})", uid);
  }
  return {};
}

void set_umask(mode_t mask) {
  ::umask(mask);
}

}  // namespace berth::sys
