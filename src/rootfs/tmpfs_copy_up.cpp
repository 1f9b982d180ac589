#include "rootfs/tmpfs_copy_up.hpp"

#include <berth/sys/extended_attributes.hpp>
#include <berth/sys/file.hpp>

#include <fcntl.h>
#include <linux/openat2.h>

#include <cerrno>
#include <string>

namespace berth::rootfs {
namespace {

// A tree that is deeper than this was made to be a trap: every level holds descriptors open.
constexpr int kMaxDepth = 128;

Result<sys::UniqueFd> open_entry(int directory, const std::string& name, int flags) {
  open_how how{};
  how.flags = static_cast<unsigned>(flags | O_NOFOLLOW);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  return sys::open_at2(directory, name, how, name);
}

Status copy_owner_and_times(int to, const struct stat& status, const std::string& name) {
  TRY(sys::change_owner(to, status.st_uid, status.st_gid, name));
  return sys::change_times(to, status.st_atim, status.st_mtim, name);
}

// Labels and the like of security.* are the security module's to give; what the tmpfs cannot hold is left out.
bool is_copied(const std::string& attribute) {
  return !attribute.starts_with("security.") || attribute == "security.capability";
}

Status copy_attributes(int from, int to, const std::string& name) {
  for (const std::string& attribute : TRY(sys::list_attributes(from, name))) {
    if (!is_copied(attribute)) {
      continue;
    }
    auto value = sys::get_attribute(from, attribute, name);
    if (!value && value.error().is(EOVERFLOW)) {
      continue;  // capabilities that root of another user namespace gave: they count nothing here
    }
    auto set = sys::set_attribute(to, attribute.c_str(), TRY(std::move(value)), name);
    if (!set && !set.error().is(EOPNOTSUPP)) {
      return set;
    }
  }
  return {};
}

// Of files and directories, whose own data is complete. Changing the owner takes set-user-id bits and capabilities
// away, changing the mode alters an access control list: in this order.
Status copy_metadata(int from, int to, const struct stat& status, const std::string& name) {
  TRY(sys::change_owner(to, status.st_uid, status.st_gid, name));
  TRY(sys::change_mode(to, status.st_mode & 07777U, name));
  TRY(copy_attributes(from, to, name));
  return sys::change_times(to, status.st_atim, status.st_mtim, name);
}

Status copy_file(int from_directory, int to_directory, const std::string& name, const struct stat& status) {
  // Not blocking: the entry may have become a pipe since it was looked at.
  const sys::UniqueFd from = TRY(open_entry(from_directory, name, O_RDONLY | O_NONBLOCK));
  const sys::UniqueFd to = TRY(sys::open_at(to_directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  TRY(sys::copy_data(from.get(), to.get(), name));
  return copy_metadata(from.get(), to.get(), status, name);
}

Status copy_tree(int from, int to, int depth);

Status copy_directory(int from_directory, int to_directory, const std::string& name, const struct stat& status,
                      int depth) {
  TRY(sys::make_directory(to_directory, name, 0700));
  const sys::UniqueFd from = TRY(open_entry(from_directory, name, O_RDONLY | O_DIRECTORY));
  const sys::UniqueFd to = TRY(open_entry(to_directory, name, O_RDONLY | O_DIRECTORY));
  TRY_CONTEXT(copy_tree(from.get(), to.get(), depth + 1), "{}", name);
  return copy_metadata(from.get(), to.get(), status, name);
}

Status copy_entry(int from, int to, const std::string& name, int depth) {
  const struct stat status = TRY(sys::stat_at(from, name, AT_SYMLINK_NOFOLLOW));
  switch (status.st_mode & S_IFMT) {
    case S_IFDIR:
      return copy_directory(from, to, name, status, depth);
    case S_IFREG:
      return copy_file(from, to, name, status);
    case S_IFLNK: {
      const std::string target = TRY(sys::read_link(from, name));
      TRY(sys::symlink_at(target, to, name));
      break;
    }
    case S_IFSOCK:
      return {};
    default:
      TRY(sys::make_node(to, name, status.st_mode, status.st_rdev));
  }
  const sys::UniqueFd made = TRY(open_entry(to, name, O_PATH));
  return copy_owner_and_times(made.get(), status, name);
}

Status copy_tree(int from, int to, int depth) {
  if (depth > kMaxDepth) {
    return sys_fail(ELOOP, "more than {} directories deep", kMaxDepth);
  }
  const sys::UniqueFd readable = TRY(sys::open_at(from, ".", O_RDONLY | O_DIRECTORY));
  for (const std::string& name : TRY(sys::list_directory(readable.get(), "."))) {
    TRY(copy_entry(from, to, name, depth));
  }
  return {};
}

}  // namespace

Status copy_up(int from, int to) {
  return copy_tree(from, to, 0);
}

}  // namespace berth::rootfs
