#include <berth/ns/namespace_set.hpp>
#include <berth/sys/file.hpp>
#include <berth/sys/process.hpp>

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace berth::ns {
namespace {

constexpr int kNewTime = 0x00000080;  // CLONE_NEWTIME

constexpr std::array<std::pair<int, std::string_view>, 8> kNames = {{
    {CLONE_NEWNS, "mount"},
    {CLONE_NEWPID, "pid"},
    {CLONE_NEWNET, "network"},
    {CLONE_NEWIPC, "ipc"},
    {CLONE_NEWUTS, "uts"},
    {CLONE_NEWUSER, "user"},
    {CLONE_NEWCGROUP, "cgroup"},
    {kNewTime, "time"},
}};

bool same_namespace(const struct stat& one, const struct stat& other) {
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

}  // namespace

std::string_view namespace_name(int flag) {
  for (const auto& [known_flag, name] : kNames) {
    if (known_flag == flag) {
      return name;
    }
  }
  return "unknown";
}

Result<NamespaceSet> NamespaceSet::open(std::span<const plan::JoinedNamespace> joined) {
  NamespaceSet set;
  for (const plan::JoinedNamespace& wanted : joined) {
    const std::string_view name = namespace_name(wanted.flag);
    sys::UniqueFd fd = TRY_CONTEXT(sys::open_at(AT_FDCWD, wanted.path, O_RDONLY), "join {} namespace", name);
    const int type = ::ioctl(fd.get(), NS_GET_NSTYPE);
    if (type < 0) {
      return fail(ErrorKind::kConfig, "join {} namespace: {} is no namespace file", name, wanted.path);
    }
    if (type != wanted.flag) {
      return fail(ErrorKind::kConfig, "join {} namespace: {} is a {} namespace", name, wanted.path,
                  namespace_name(type));
    }
    set.entries_.push_back({std::move(fd), wanted.flag, wanted.path});
  }
  return set;
}

int NamespaceSet::descriptor(int flag) const {
  for (const Entry& entry : entries_) {
    if (entry.flag == flag) {
      return entry.fd.get();
    }
  }
  return -1;
}

Status NamespaceSet::join_entry(const Entry& entry) const {
  TRY_CONTEXT(sys::set_namespace(entry.fd.get(), entry.flag, entry.path), "join {} namespace",
              namespace_name(entry.flag));
  return {};
}

Status NamespaceSet::join(std::span<const std::size_t> indices) const {
  // A privileged caller reaches namespaces that the joined user namespace does not own; an unprivileged one
  // reaches nothing before it has joined that.
  const Entry* user = nullptr;
  std::vector<const Entry*> refused;
  for (const std::size_t index : indices) {
    const Entry& entry = entries_.at(index);
    if (entry.flag == CLONE_NEWUSER) {
      user = &entry;
      continue;
    }
    if (auto joined = join_entry(entry); !joined) {
      if (!joined.error().is(EPERM)) {
        return joined;
      }
      refused.push_back(&entry);
    }
  }
  if (user != nullptr) {
    TRY(join_entry(*user));
  }
  for (const Entry* entry : refused) {
    TRY(join_entry(*entry));
  }
  return {};
}

ChildNamespaceSwitch::~ChildNamespaceSwitch() {
  // Reached with something to restore only on an error path, which ends the process soon.
  static_cast<void>(restore());
}

Status ChildNamespaceSwitch::remember(int flag) {
  const bool time = flag == kNewTime;
  (time ? time_ : pid_) = TRY(sys::open_at(AT_FDCWD, time ? "/proc/self/ns/time" : "/proc/self/ns/pid", O_RDONLY));
  return {};
}

Status ChildNamespaceSwitch::restore() {
  if (pid_.valid()) {
    TRY(sys::set_namespace(std::exchange(pid_, {}).get(), CLONE_NEWPID, "/proc/self/ns/pid"));
  }
  if (time_.valid()) {
    TRY(sys::set_namespace(std::exchange(time_, {}).get(), kNewTime, "/proc/self/ns/time"));
  }
  return {};
}

Result<bool> is_user_namespace_of(std::span<const plan::JoinedNamespace> joined, int fd) {
  const sys::UniqueFd parent(::ioctl(fd, NS_GET_PARENT));
  if (parent.valid()) {
    const struct stat own = TRY(sys::stat_at(AT_FDCWD, "/proc/self/ns/user", 0));
    if (same_namespace(TRY(sys::stat_fd(parent.get(), "parent of the user namespace")), own)) {
      return true;
    }
  } else if (errno != EPERM) {  // which says that the caller's is none of its ancestors
    return sys_fail(errno, "ioctl(user namespace, NS_GET_PARENT)");
  }
  const auto user = std::ranges::find(joined, CLONE_NEWUSER, &plan::JoinedNamespace::flag);
  if (user == joined.end()) {
    return false;
  }
  const auto theirs = sys::stat_at(AT_FDCWD, user->path, 0);
  return theirs && same_namespace(*theirs, TRY(sys::stat_fd(fd, "user namespace")));
}

Result<bool> mount_namespace_belongs_to(const path::ProcDir& proc, int user_namespace) {
  const sys::UniqueFd directory = TRY(proc.open_file("self/ns", O_PATH | O_DIRECTORY));
  const sys::UniqueFd mount = TRY(sys::open_at(directory.get(), "mnt", O_RDONLY));
  const int descriptor = ::ioctl(mount.get(), NS_GET_USERNS);
  if (descriptor < 0) {
    // EPERM: that of an ancestor of the caller's.
    return errno == EPERM ? Result<bool>(false) : sys_fail(errno, "ioctl(/proc/self/ns/mnt, NS_GET_USERNS)");
  }
  const sys::UniqueFd owner(descriptor);
  return same_namespace(TRY(sys::stat_fd(owner.get(), "owner of the mount namespace")),
                        user_namespace < 0 ? TRY(sys::stat_at(directory.get(), "user", 0))
                                           : TRY(sys::stat_fd(user_namespace, "user namespace")));
}

Status create_time_namespace(std::span<const plan::TimeOffset> offsets) {
  TRY(sys::unshare(kNewTime, "CLONE_NEWTIME"));
  std::string text;
  for (const plan::TimeOffset& offset : offsets) {
    text += fmt::format("{} {} {}\n", offset.clock, offset.seconds, offset.nanoseconds);
  }
  if (!text.empty()) {
    TRY_CONTEXT(sys::write_file(AT_FDCWD, "/proc/self/timens_offsets", text), "time namespace");
  }
  return {};
}

Status write_sysctls(std::span<const plan::Sysctl> sysctls, const path::ProcDir* proc) {
  const auto write_to = [sysctls](const path::ProcDir& directory) -> Status {
    for (const plan::Sysctl& sysctl : sysctls) {
      TRY_CONTEXT(directory.write("sys/" + sysctl.path, sysctl.value), "sysctl {}", sysctl.path);
    }
    return {};
  };
  if (sysctls.empty()) {
    return {};
  }
  if (proc != nullptr) {
    auto written = write_to(*proc);
    if (written || !written.error().is(EXDEV)) {
      return written;
    }
    // The configuration has mounted something over one of them.
  }
  return write_to(TRY(path::ProcDir::open_full()));
}

Status set_names(const std::string& hostname, const std::string& domainname) {
  if (!hostname.empty() && ::sethostname(hostname.data(), hostname.size()) < 0) {
    return sys_fail(errno, "sethostname({})", hostname);
  }
  if (!domainname.empty() && ::setdomainname(domainname.data(), domainname.size()) < 0) {
    return sys_fail(errno, "setdomainname({})", domainname);
  }
  return {};
}

}  // namespace berth::ns
