// Where berth remembers its containers: one directory a container below --root, which is its lock too.
#pragma once

#include <berth/base/error.hpp>
#include <berth/spec/record.hpp>
#include <berth/sys/unique_fd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::container {

/// An id is at most 1024 characters of `[A-Za-z0-9_+.-]`, and neither "." nor "..".
Status check_id(const std::string& id);

/// Commands that do not disturb each other (`exec`) share the lock; all others have it for themselves.
enum class LockKind : std::uint8_t { kExclusive, kShared };

/// The directory of one container. It exists before anything of the container does, and until everything of it is gone.
/// A directory without a committed record is a container that is being created, or whose creator died.
class ContainerDirectory {
 public:
  ContainerDirectory(sys::UniqueFd parent, sys::UniqueFd directory, std::string id)
      : parent_(std::move(parent)), directory_(std::move(directory)), id_(std::move(id)) {}

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] int fd() const { return directory_.get(); }
  /// Gives up the lock, for as long as the container lives without its command (`run` in the foreground).
  [[nodiscard]] Status unlock() const;
  /// Takes the lock (again); waits up to 10 s for it. False if the container was deleted meanwhile: what has its id now
  /// is another one.
  [[nodiscard]] Result<bool> lock(LockKind kind = LockKind::kExclusive) const;
  /// The record; where there is none yet, the intent; or nothing where not even that was written.
  [[nodiscard]] Result<std::optional<spec::Record>> load() const;
  /// The intent alone: what of the container to look for when its record cannot be read.
  [[nodiscard]] Result<std::optional<spec::Record>> load_intent() const;
  /// Writes what is about to be made, before any of it is. It stays when the record is written.
  [[nodiscard]] Status save_intent(const spec::Record& intent) const;
  /// Writes the record of a complete container. Both are put in place by rename(2): nobody reads half of one.
  [[nodiscard]] Status save(const spec::Record& record) const;
  /// The configuration as it was when the container was made, for `exec`: the bundle may change. Written before the
  /// record, so that whoever reads the one finds the other; and not before the cgroup is this container's alone.
  [[nodiscard]] Status save_config(std::string_view text) const;
  /// Whether there is one: until then the cgroup of the intent may be another container's, as may be all that is in it.
  [[nodiscard]] Result<bool> has_config() const;
  [[nodiscard]] Result<std::string> load_config() const;
  /// Removes the directory with all that is in it, which is the last trace of the container.
  [[nodiscard]] Status remove() const;

 private:
  [[nodiscard]] Status remove_notify_directory() const;
  [[nodiscard]] Status write(const char* file, const spec::Record& record) const;
  sys::UniqueFd parent_;
  sys::UniqueFd directory_;
  std::string id_;
};

/// The containers as `state` and `list` look at them, a thousand times: without their locks, and by name, so that no
/// directory has to be opened. Between two calls a container may be deleted and another one get its id.
class StateView {
 public:
  StateView(sys::UniqueFd root, std::string path) : root_(std::move(root)), path_(std::move(path)) {}

  /// All ids, sorted.
  [[nodiscard]] Result<std::vector<std::string>> ids() const;
  /// As of ContainerDirectory. kNotFound if there is no container `id`.
  [[nodiscard]] Result<std::optional<spec::Record>> load(const std::string& id) const;
  /// The root's descriptor, below which `id`/`name` is a file of the container.
  [[nodiscard]] int fd() const { return root_.get(); }

 private:
  sys::UniqueFd root_;
  std::string path_;
};

/// That there is no container `id`, in the words that engines look for.
[[nodiscard]] Error not_found(const std::string& id);

class StateStore {
 public:
  /// `root` is --root; it is made (0700) by the first container.
  explicit StateStore(std::string root) : root_(std::move(root)) {}
  [[nodiscard]] const std::string& root() const { return root_; }

  /// Makes the directory of a new container and takes its lock. kExists if there is one.
  [[nodiscard]] Result<ContainerDirectory> create(const std::string& id) const;
  /// Opens the directory and takes its lock, which only one command at a time holds; waits up to 10 s for it. kNotFound
  /// if there is none.
  [[nodiscard]] Result<ContainerDirectory> lock(const std::string& id, LockKind kind = LockKind::kExclusive) const;
  /// Opens the directory without its lock, to read.
  [[nodiscard]] Result<ContainerDirectory> open(const std::string& id) const;
  /// A path below the root that can be no container's: for compiled seccomp filters.
  [[nodiscard]] std::string filter_cache() const { return root_ + "/@seccomp"; }
  /// Nothing where there was never a container.
  [[nodiscard]] Result<std::optional<StateView>> view() const;
  /// All ids, sorted.
  [[nodiscard]] Result<std::vector<std::string>> ids() const;

 private:
  [[nodiscard]] Result<sys::UniqueFd> open_root(bool create) const;
  std::string root_;
};

}  // namespace berth::container
