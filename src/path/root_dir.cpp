#include <berth/path/root_dir.hpp>
#include <berth/sys/file.hpp>

#include <fcntl.h>
#include <linux/openat2.h>

#include <cerrno>
#include <utility>
#include <vector>

namespace berth::path {
namespace {

// The kernel's own bound for links in one walk (path_resolution(7)).
constexpr int kMaxLinks = 40;

std::string name_in_errors(std::string_view path) {
  return fmt::format("<rootfs>{}{}", path.starts_with('/') ? "" : "/", path);
}

std::vector<std::string_view> components(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  }
  return parts;
}

std::string join(const std::vector<std::string_view>& parts, std::size_t first, std::size_t last) {
  std::string path = "/";
  for (std::size_t index = first; index < last; ++index) {
    if (index > first) {
      path += '/';
    }
    path += parts[index];
  }
  return path;
}

// What the last component becomes if nothing is there.
struct Missing {
  mode_t directory_mode;  // of directories that are made on the way, and of the last component if it is one
  bool last_is_file = false;
  mode_t file_mode = 0;
  bool follow_links = true;
};

constexpr mode_t kParentMode = 0755;

constexpr Missing missing_directory(mode_t mode) {
  return {.directory_mode = mode};
}
constexpr Missing missing_file(mode_t mode) {
  return {.directory_mode = kParentMode, .last_is_file = true, .file_mode = mode};
}
constexpr Missing without_links(Missing missing) {
  missing.follow_links = false;
  return missing;
}

// Opens `name`, an entry of `parent`, itself: never through a link.
Result<sys::UniqueFd> open_entry(int parent, std::string_view name, int flags, std::string_view shown) {
  open_how how{};
  how.flags = static_cast<unsigned>(O_PATH | O_NOFOLLOW | flags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  return sys::open_at2(parent, std::string(name), how, shown);
}

// The walk that makes what is missing. A link whose target does not exist yet is where another path starts: the target
// is made instead of it, as it is for a link that resolves (images point /etc/resolv.conf into an empty /run).
class Maker {
 public:
  Maker(const RootDir& root, std::string_view path, Missing missing) : root_(root), path_(path), missing_(missing) {}

  Result<sys::UniqueFd> run() {
    for (int links = 0; links <= kMaxLinks; ++links) {
      auto made = make_from_deepest();
      if (made || link_.empty()) {
        return made;
      }
      path_ = std::exchange(link_, {});
    }
    return sys_fail(ELOOP, "make {}", name_in_errors(path_));
  }

 private:
  Result<sys::UniqueFd> make_from_deepest() {
    const std::vector<std::string_view> parts = components(path_);
    std::size_t existing = parts.empty() ? 0 : parts.size() - 1;
    sys::UniqueFd current;
    for (;; --existing) {
      const std::string prefix = join(parts, 0, existing);
      constexpr int kFlags = O_PATH | O_DIRECTORY;
      auto opened = missing_.follow_links ? root_.open(prefix, kFlags) : root_.open_without_links(prefix, kFlags);
      if (opened) {
        current = std::move(*opened);
        break;
      }
      if (!opened.error().is(ENOENT) || existing == 0) {
        return opened;
      }
    }
    for (std::size_t index = existing; index < parts.size(); ++index) {
      current = TRY(make_entry(current.get(), parts, index));
    }
    return current;
  }

  Result<sys::UniqueFd> make_entry(int parent, const std::vector<std::string_view>& parts, std::size_t index) {
    const std::string name(parts[index]);
    const std::string shown = name_in_errors(join(parts, 0, index + 1));
    if (name == "..") {
      // What ".." will mean after the directories before it are made is for nobody to guess.
      return sys_fail(ENOENT, "make {}: \"..\" below a directory that does not exist", shown);
    }
    const bool file = missing_.last_is_file && index + 1 == parts.size();
    const auto made = file ? sys::make_node(parent, name, S_IFREG | missing_.file_mode, 0)
                           : sys::make_directory(parent, name, missing_.directory_mode);
    if (!made && !made.error().is(EEXIST)) {
      return sys_fail(made.error().errnum(), "{}({})", file ? "mknod" : "mkdir", shown);
    }
    auto entry = open_entry(parent, name, file ? 0 : O_DIRECTORY, shown);
    if (made || (entry && !file) || (!entry && !entry.error().is(ENOTDIR) && !entry.error().is(ELOOP))) {
      return entry;
    }
    TRY(look_for_link(parent, parts, index, shown));
    return entry;
  }

  // Somebody's entry is in the way: if it is a link, says in link_ which path to take instead.
  Status look_for_link(int parent, const std::vector<std::string_view>& parts, std::size_t index,
                       const std::string& shown) {
    const sys::UniqueFd entry = TRY(open_entry(parent, parts[index], 0, shown));
    const struct stat status = TRY(sys::stat_fd(entry.get(), shown));
    if (!S_ISLNK(status.st_mode)) {
      return {};
    }
    if (!missing_.follow_links) {
      return sys_fail(ELOOP, "make {}", shown);
    }
    const std::string target = TRY_CONTEXT(sys::read_link(entry.get(), ""), "{}", shown);
    const std::string before = target.starts_with('/') ? "" : join(parts, 0, index);
    link_ = before + "/" + target + join(parts, index + 1, parts.size());
    return std::unexpected(Error::system(ENOENT, fmt::format("make {}: a link to {}", shown, one_line(target))));
  }

  const RootDir& root_;
  std::string path_;
  Missing missing_;
  std::string link_;  // the path to take instead, after make_from_deepest() met a link
};

}  // namespace

Result<sys::UniqueFd> RootDir::open(std::string_view path, int flags) const {
  open_how how{};
  how.flags = static_cast<unsigned>(flags);
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return sys::open_at2(fd_.get(), path.empty() ? "/" : std::string(path), how, name_in_errors(path));
}

Result<sys::UniqueFd> RootDir::open_without_links(std::string_view path, int flags) const {
  open_how how{};
  how.flags = static_cast<unsigned>(flags);
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
  return sys::open_at2(fd_.get(), path.empty() ? "/" : std::string(path), how, name_in_errors(path));
}

Result<sys::UniqueFd> RootDir::make_directories(std::string_view path, mode_t mode) const {
  auto existing = open(path, O_PATH | O_DIRECTORY);
  if (existing || !existing.error().is(ENOENT)) {
    return existing;
  }
  return Maker(*this, path, missing_directory(mode)).run();
}

Result<sys::UniqueFd> RootDir::make_directories_without_links(std::string_view path, mode_t mode) const {
  return Maker(*this, path, without_links(missing_directory(mode))).run();
}

Result<sys::UniqueFd> RootDir::make_file(std::string_view path, mode_t mode) const {
  auto existing = open(path, O_PATH);
  if (existing || !existing.error().is(ENOENT)) {
    return existing;
  }
  return Maker(*this, path, missing_file(mode)).run();
}

Result<sys::UniqueFd> RootDir::make_file_without_links(std::string_view path, mode_t mode) const {
  return Maker(*this, path, without_links(missing_file(mode))).run();
}

Result<RootDir::Parent> RootDir::make_parent(std::string_view path, mode_t mode) const {
  const std::vector<std::string_view> parts = components(path);
  if (parts.empty() || parts.back() == "..") {
    return sys_fail(EINVAL, "{} names no entry of a directory", name_in_errors(path));
  }
  return Parent{TRY(make_directories(join(parts, 0, parts.size() - 1), mode)), std::string(parts.back())};
}

std::string clean(std::string_view path) {
  std::vector<std::string_view> kept;
  for (const std::string_view part : components(path)) {
    if (part != "..") {
      kept.push_back(part);
    } else if (!kept.empty()) {
      kept.pop_back();
    }
  }
  return join(kept, 0, kept.size());
}

}  // namespace berth::path
