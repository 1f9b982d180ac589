#include "rootfs/masked_paths.hpp"

#include <berth/sys/file.hpp>
#include <berth/sys/mount.hpp>
#include <berth/sys/unique_fd.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <set>
#include <utility>

namespace berth::rootfs {
namespace {

class Masks {
 public:
  Masks(const path::RootDir& root, const std::string& label, KeptDescriptors& kept)
      : root_(root), label_(label), kept_(kept) {}
  Masks(const Masks&) = delete;
  Masks& operator=(const Masks&) = delete;
  ~Masks() {
    kept_.take(std::move(null_));
    kept_.take(std::move(empty_));
  }

  Status mask(const std::string& path) {
    // One call less for a directory than asking what it is; for a file as many.
    auto directory = root_.open(path, O_PATH | O_DIRECTORY);
    if (directory) {
      return mask_directory(std::move(*directory), path);
    }
    if (directory.error().is(ENOENT)) {
      return {};
    }
    if (!directory.error().is(ENOTDIR)) {
      return std::unexpected(std::move(directory).error());
    }
    auto file = root_.open(path, O_PATH);
    // ENOTDIR again: the path goes through a file. Nothing but a path that is not there may stay uncovered.
    if (!file && (file.error().is(ENOENT) || file.error().is(ENOTDIR))) {
      return {};
    }
    return mask_file(TRY(std::move(file)), path);
  }

 private:
  Status mask_file(sys::UniqueFd target, const std::string& path) {
    if (!null_.valid()) {
      null_ = TRY(open_null());
    }
    return attach(TRY(sys::open_tree(null_.get(), "", OPEN_TREE_CLONE, "/dev/null")), std::move(target), path);
  }

  // CVE-2025-31133: an image can have anything at /dev/null, a link into procfs for one, and the mask would show that.
  Result<sys::UniqueFd> open_null() {
    constexpr unsigned kMajor = 1;
    constexpr unsigned kMinor = 3;
    sys::UniqueFd null = TRY(root_.open("/dev/null", O_PATH | O_NOFOLLOW));
    const struct stat status = TRY(sys::stat_fd(null.get(), "/dev/null"));
    if (!S_ISCHR(status.st_mode) || status.st_rdev != ::makedev(kMajor, kMinor)) {
      return fail(ErrorKind::kSystem, "/dev/null of the container is not the device c {}:{}", kMajor, kMinor);
    }
    return null;
  }

  Status mask_directory(sys::UniqueFd target, const std::string& path) {
    if (!empty_.valid()) {
      empty_ = TRY(make_empty());
      TRY(sys::move_mount(empty_.get(), target.get(), path));
      kept_.take(std::move(target));
      return {};
    }
    return attach(TRY(sys::open_tree(empty_.get(), "", OPEN_TREE_CLONE, "empty directory")), std::move(target), path);
  }

  Status attach(sys::UniqueFd tree, sys::UniqueFd target, const std::string& path) {
    TRY(sys::move_mount(tree.get(), target.get(), path));
    kept_.take(std::move(tree));
    kept_.take(std::move(target));
    return {};
  }

  Result<sys::UniqueFd> make_empty() {
    sys::UniqueFd context = TRY(sys::fs_open("tmpfs"));
    TRY(sys::fs_set_string(context.get(), "source", "tmpfs"));
    // The file system itself too: a container that may mount could make a writable mount of it.
    TRY(sys::fs_set_flag(context.get(), "ro"));
    if (!label_.empty()) {
      TRY(sys::fs_set_string(context.get(), "context", label_));
    }
    TRY(sys::fs_create(context.get(), "tmpfs"));
    auto made = sys::fs_mount(context.get(), MOUNT_ATTR_RDONLY, "tmpfs");
    kept_.take(std::move(context));
    return made;
  }

  const path::RootDir& root_;
  const std::string& label_;
  KeptDescriptors& kept_;
  sys::UniqueFd null_;
  sys::UniqueFd empty_;
};

}  // namespace

Status mask_paths(const path::RootDir& root, const std::vector<std::string>& paths, const std::string& label,
                  KeptDescriptors& kept) {
  Masks masks(root, label, kept);
  std::set<std::string> done;
  for (const std::string& path : paths) {
    if (done.insert(path::clean(path)).second) {
      TRY_CONTEXT(masks.mask(path), "mask {}", path);
    }
  }
  return {};
}

}  // namespace berth::rootfs
