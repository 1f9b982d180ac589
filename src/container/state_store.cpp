#include <berth/container/state_store.hpp>
#include <berth/sys/file.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "container/observation.hpp"

namespace berth::container {
namespace {

constexpr const char* kRecordFile = "record.json";
constexpr const char* kIntentFile = "intent";
constexpr const char* kNewFile = "new";
constexpr const char* kConfigFile = "config";
constexpr std::size_t kMaxConfig = std::size_t{64} * 1024 * 1024;
constexpr std::size_t kMaxRecord = std::size_t{16} * 1024 * 1024;
constexpr std::size_t kMaxId = 1024;
constexpr std::chrono::milliseconds kLockTimeout{10'000};
constexpr std::chrono::milliseconds kLockRetry{5};

bool is_id_character(char character) {
  return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
         (character >= '0' && character <= '9') || character == '_' || character == '+' || character == '.' ||
         character == '-';
}

void sleep_for(std::chrono::milliseconds duration) {
  const struct timespec wait { .tv_sec = duration.count() / 1000, .tv_nsec = (duration.count() % 1000) * 1'000'000 };
  ::nanosleep(&wait, nullptr);
}

// `directory` is the container's, or the root with `file` below the container's. Nothing if there is no such file. As a
// container's directory must be one, it must not be a link to another's.
Result<std::optional<spec::Record>> read_if_there(int directory, const std::string& file, const std::string& id) {
  auto text = sys::read_record(directory, file, kMaxRecord, RESOLVE_NO_SYMLINKS);
  if (!text) {
    if (text.error().is(ENOENT)) {
      return std::optional<spec::Record>();
    }
    return std::unexpected(std::move(text).error());
  }
  const std::string_view name = std::string_view(file).substr(file.rfind('/') + 1);
  return std::optional<spec::Record>(TRY_CONTEXT(spec::parse_record(*text), "{} of container \"{}\"", name, id));
}

// mkdir -p, but only the last component may be missing its mode: 0700, because what is below is nobody else's business.
Status make_root(const std::string& path) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string prefix = path.substr(0, slash);
    auto made = sys::make_directory(AT_FDCWD, prefix, slash == std::string::npos ? 0700 : 0711);
    if (!made && !made.error().is(EEXIST)) {
      return made;
    }
    if (slash == std::string::npos) {
      return {};
    }
  }
}

}  // namespace

Error not_found(const std::string& id) {
  return {ErrorKind::kNotFound, fmt::format("container \"{}\" does not exist", id)};
}

Status check_id(const std::string& id) {
  if (id.empty() || id == "." || id == ".." || id.size() > kMaxId || !std::ranges::all_of(id, is_id_character)) {
    return fail(ErrorKind::kUsage,
                "invalid container id \"{}\": expected 1 to {} characters of A-Z a-z 0-9 _ + . -, not . or ..",
                one_line(id.substr(0, 64)), kMaxId);
  }
  return {};
}

Status ContainerDirectory::unlock() const {
  return sys::lock_file(fd(), LOCK_UN, id_);
}

Result<bool> ContainerDirectory::lock(LockKind kind) const {
  const int operation = (kind == LockKind::kShared ? LOCK_SH : LOCK_EX) | LOCK_NB;
  std::optional<std::chrono::steady_clock::time_point> end;  // most locks are free: no clock is read for them
  for (;;) {
    auto locked = sys::lock_file(fd(), operation, id_);
    if (locked) {
      break;
    }
    if (!locked.error().is(EWOULDBLOCK)) {
      return std::unexpected(std::move(locked).error());
    }
    const auto now = std::chrono::steady_clock::now();
    end = end.value_or(now + kLockTimeout);
    if (now >= *end) {
      return fail(ErrorKind::kState, "container \"{}\" is in use by another command for {} s", id_,
                  kLockTimeout.count() / 1000);
    }
    sleep_for(kLockRetry);
  }
  return TRY(sys::stat_fd(fd(), id_)).st_nlink > 0;
}

Status ContainerDirectory::write(const char* file, const spec::Record& record) const {
  const sys::UniqueFd written =
      TRY(sys::open_at(directory_.get(), kNewFile, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
  TRY(sys::write_all(written.get(), spec::record_json(record), kNewFile));
  return sys::rename_at(directory_.get(), kNewFile, file);
}

Result<std::optional<spec::Record>> ContainerDirectory::load() const {
  auto record = read_if_there(fd(), kRecordFile, id_);
  return record && !*record ? load_intent() : record;
}

Result<std::optional<spec::Record>> ContainerDirectory::load_intent() const {
  return read_if_there(fd(), kIntentFile, id_);
}

Status ContainerDirectory::save_intent(const spec::Record& intent) const {
  return write(kIntentFile, intent);
}

Status ContainerDirectory::save(const spec::Record& record) const {
  return write(kRecordFile, record);
}

Status ContainerDirectory::save_config(std::string_view text) const {
  const sys::UniqueFd written =
      TRY(sys::open_at(directory_.get(), kConfigFile, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
  return sys::write_all(written.get(), text, kConfigFile);
}

Result<std::string> ContainerDirectory::load_config() const {
  return TRY_CONTEXT(sys::read_file(directory_.get(), kConfigFile, kMaxConfig), "container \"{}\"", id_);
}

Result<bool> ContainerDirectory::has_config() const {
  const auto status = sys::stat_at(directory_.get(), kConfigFile, AT_SYMLINK_NOFOLLOW);
  if (!status && !status.error().is(ENOENT)) {
    return std::unexpected(status.error());
  }
  return status.has_value();
}

Status ContainerDirectory::remove() const {
  // By name, not by a list: this is the end of every failure too, of one for want of descriptors or memory even.
  for (const char* name : {kStartSocket, kNewFile, kConfigFile, kRecordFile, kIntentFile}) {
    if (auto removed = sys::unlink_at(directory_.get(), name); !removed && !removed.error().is(ENOENT)) {
      return removed;
    }
  }
  TRY(remove_notify_directory());
  return sys::unlink_at(parent_.get(), id_, AT_REMOVEDIR);
}

Status ContainerDirectory::remove_notify_directory() const {
  auto removed = sys::unlink_at(directory_.get(), kNotifyDirectory, AT_REMOVEDIR);
  if (removed || removed.error().is(ENOENT)) {
    return {};
  }
  const std::string socket = fmt::format("{}/{}", kNotifyDirectory, kNotifySocket);
  if (auto unlinked = sys::unlink_at(directory_.get(), socket); !unlinked && !unlinked.error().is(ENOENT)) {
    return unlinked;
  }
  return sys::unlink_at(directory_.get(), kNotifyDirectory, AT_REMOVEDIR);
}

Result<sys::UniqueFd> StateStore::open_root(bool create) const {
  auto opened = sys::open_at(AT_FDCWD, root_, O_PATH | O_DIRECTORY);
  if (!opened && opened.error().is(ENOENT) && create) {
    TRY_CONTEXT(make_root(root_), "state root");
    opened = sys::open_at(AT_FDCWD, root_, O_PATH | O_DIRECTORY);
  }
  return opened;
}

Result<ContainerDirectory> StateStore::create(const std::string& id) const {
  sys::UniqueFd root = TRY(open_root(true));
  if (auto made = sys::make_directory(root.get(), id, 0700); !made) {
    if (made.error().is(EEXIST)) {
      return fail(ErrorKind::kExists, "container with given ID already exists: \"{}\"", id);
    }
    return std::unexpected(std::move(made).error().add_context(fmt::format("state root {}", root_)));
  }
  // Removes nothing but an empty directory, which is what this one is until its intent is there.
  const auto give_up = [&id](int parent) { static_cast<void>(sys::unlink_at(parent, id, AT_REMOVEDIR)); };
  auto opened = sys::open_at(root.get(), id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!opened) {
    give_up(root.get());
    return std::unexpected(std::move(opened).error());
  }
  const int parent = root.get();
  ContainerDirectory directory(std::move(root), std::move(*opened), id);
  // Before the lock a `delete` could take it away, and after that another `create` make it anew.
  const auto is_mine = [&directory]() -> Result<bool> {
    return TRY(directory.lock()) && !TRY(directory.load_intent());
  }();
  if (!is_mine) {
    give_up(parent);
    return std::unexpected(is_mine.error());
  }
  if (!*is_mine) {
    return fail(ErrorKind::kState, "container \"{}\" was deleted while it was being created", id);
  }
  return directory;
}

Result<ContainerDirectory> StateStore::open(const std::string& id) const {
  TRY(check_id(id));
  auto root = open_root(false);
  if (!root) {
    return std::unexpected(root.error().is(ENOENT) ? not_found(id) : std::move(root).error());
  }
  auto directory = sys::open_at(root->get(), id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!directory) {
    return std::unexpected(directory.error().is(ENOENT) ? not_found(id) : std::move(directory).error());
  }
  return ContainerDirectory(std::move(*root), std::move(*directory), id);
}

Result<ContainerDirectory> StateStore::lock(const std::string& id, LockKind kind) const {
  ContainerDirectory directory = TRY(open(id));
  if (!TRY(directory.lock(kind))) {
    return std::unexpected(not_found(id));
  }
  return directory;
}

Result<std::optional<StateView>> StateStore::view() const {
  auto root = open_root(false);
  if (root) {
    return StateView(std::move(*root), root_);
  }
  return root.error().is(ENOENT) ? Result<std::optional<StateView>>(std::nullopt)
                                 : std::unexpected(std::move(root).error());
}

Result<std::vector<std::string>> StateStore::ids() const {
  const auto opened = TRY(view());
  return opened ? opened->ids() : std::vector<std::string>();
}

Result<std::vector<std::string>> StateView::ids() const {
  const sys::UniqueFd readable = TRY(sys::open_at(fd(), ".", O_RDONLY | O_DIRECTORY));
  std::vector<std::string> names = TRY(sys::list_directory(readable.get(), path_));
  std::erase_if(names, [](const std::string& name) { return !check_id(name); });
  std::ranges::sort(names);
  return names;
}

Result<std::optional<spec::Record>> StateView::load(const std::string& id) const {
  for (const char* file : {kRecordFile, kIntentFile}) {
    auto record = read_if_there(fd(), fmt::format("{}/{}", id, file), id);
    if (!record || *record) {
      return record;
    }
  }
  const auto directory = sys::open_at(fd(), id, O_PATH | O_DIRECTORY | O_NOFOLLOW);
  if (!directory) {
    return std::unexpected(directory.error().is(ENOENT) ? not_found(id) : directory.error());
  }
  return std::optional<spec::Record>();
}

}  // namespace berth::container
