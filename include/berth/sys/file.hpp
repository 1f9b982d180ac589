// Files and directories: thin wrappers that own what they open and describe what they did.
//
// Every function that opens adds O_CLOEXEC. A path relative to a directory descriptor is named `<name>/path` in
// errors when the caller gives the directory's name, else by the path alone.
#pragma once

#include <berth/base/error.hpp>
#include <berth/sys/unique_fd.hpp>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace berth::sys {

/// openat(2).
Result<UniqueFd> open_at(int directory, const std::string& path, int flags, mode_t mode = 0);
/// openat2(2). `name` stands for the path in an error; EAGAIN (a racing rename) is retried a bounded number of times.
Result<UniqueFd> open_at2(int directory, const std::string& path, const open_how& how, std::string_view name);
/// Reads up to the end of the file; EFBIG beyond `limit` bytes.
Result<std::string> read_all(int fd, std::size_t limit, std::string_view name);
/// Opens and reads to the end.
Result<std::string> read_file(int directory, const std::string& path, std::size_t limit);
/// The same for a file that one read(2) gives whole: a regular one, or one of the kernel's with a single record. Spares
/// the read that only finds the end. `resolve` is of openat2(2).
Result<std::string> read_record(int directory, const std::string& path, std::size_t limit, std::uint64_t resolve = 0);
/// pread(2): fills `buffer` from `offset` on; a file that ends before that is an error.
Status read_at(int fd, std::span<std::byte> buffer, off_t offset, std::string_view name);
/// One pwrite(2) of all of `data` at `offset`; the file's own offset stays.
Status write_at(int fd, std::string_view data, off_t offset, std::string_view name);
/// Writes all bytes, over as many write(2) as it takes.
Status write_all(int fd, std::string_view data, std::string_view name);
/// One write(2) of all of `data`, as kernel files need it. A short write is an error.
Status write_once(int fd, std::string_view data, std::string_view name);
/// Opens with O_WRONLY (| flags) and writes `data` with a single write(2), as kernel files need it.
/// A short write is an error.
Status write_file(int directory, const std::string& path, std::string_view data, int flags = 0);

Result<struct stat> stat_fd(int fd, std::string_view name);
/// fstatat(2).
Result<struct stat> stat_at(int directory, const std::string& path, int flags);
/// fstatfs(2)'s f_type: the magic number of the file system that holds `fd`.
Result<long> filesystem_type(int fd, std::string_view name);

/// mkdirat(2).
Status make_directory(int directory, const std::string& path, mode_t mode);
/// unlinkat(2); `flags` may hold AT_REMOVEDIR.
Status unlink_at(int directory, const std::string& path, int flags = 0);
/// renameat(2) within one directory.
Status rename_at(int directory, const std::string& from, const std::string& to);
/// symlinkat(2): makes `path` a symbolic link that says `target`.
Status symlink_at(const std::string& target, int directory, const std::string& path);
/// mknodat(2).
Status make_node(int directory, const std::string& path, mode_t mode, dev_t device);
/// readlinkat(2).
Result<std::string> read_link(int directory, const std::string& path);
/// fchownat(2) on `fd` itself (AT_EMPTY_PATH, so O_PATH is enough).
Status change_owner(int fd, uid_t uid, gid_t gid, std::string_view name);
/// fchmod(2); `fd` must not be O_PATH.
Status change_mode(int fd, mode_t mode, std::string_view name);
/// utimensat(2) on `fd` itself (AT_EMPTY_PATH, so O_PATH is enough): last access and modification.
Status change_times(int fd, const timespec& accessed, const timespec& modified, std::string_view name);
/// fsetxattr(2); `fd` must not be O_PATH.
Status set_attribute(int fd, const char* attribute, std::string_view value, std::string_view name);
/// lgetxattr(2): whether the file has an extended attribute of this name.
Result<bool> has_attribute(const std::string& path, const char* attribute);
/// sendfile(2) from the offset of `from` to its end.
Status copy_data(int from, int to, std::string_view name);
/// Names in a directory without . and .., in no order. `fd` must be readable (not O_PATH).
Result<std::vector<std::string>> list_directory(int fd, std::string_view name);

/// umask(2) while this object lives: modes given to calls that make files are taken exactly with a mask of 0.
class FileModeMask {
 public:
  explicit FileModeMask(mode_t mask);
  FileModeMask(const FileModeMask&) = delete;
  FileModeMask& operator=(const FileModeMask&) = delete;
  ~FileModeMask();

 private:
  mode_t before_;
};

/// flock(2): waits for the lock unless `operation` holds LOCK_NB.
Status lock_file(int fd, int operation, std::string_view name);
/// Opens /dev/null where stdin, stdout or stderr is closed: the next descriptor would else take its number, and be read
/// and written as what it is not.
Status occupy_standard_descriptors();
/// dup3(2) onto `target`, replacing what was there; `flags` is 0 or O_CLOEXEC.
Status duplicate_to(int fd, int target, int flags);
/// fcntl(F_DUPFD_CLOEXEC): a copy whose number is at least `minimum`.
Result<UniqueFd> duplicate(int fd, int minimum = 3);
/// Sets or clears FD_CLOEXEC.
Status set_close_on_exec(int fd, bool on);
/// fcntl(F_SETFL): adds O_NONBLOCK to the flags of the open file.
Status set_nonblocking(int fd);
/// close_range(2): closes every descriptor from `first` to `last`, both included.
Status close_fds(unsigned first, unsigned last);
/// Closes every descriptor from `first` on but those of `kept`; numbers below `first` (-1 too) are skipped.
Status close_fds_except(unsigned first, std::vector<int> kept);
/// close_range(2) with CLOSE_RANGE_CLOEXEC: every descriptor from `first` on is closed by exec.
Status close_fds_on_exec(unsigned first);
/// A memory file (memfd_create(2)) that may be sealed; `executable` asks for MFD_EXEC where the kernel knows it.
Result<UniqueFd> memory_file(const char* name, bool executable);
/// fcntl(F_ADD_SEALS): nobody can change the memory file any more, nor take the seals off.
Status seal_memory_file(int fd);

}  // namespace berth::sys
