#include "security/filter_cache.hpp"

#include <berth/base/log.hpp>
#include <berth/sys/file.hpp>

#include <seccomp.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace berth::security {
namespace {

// To be raised with every change to what FilterProgram::compile makes of a profile; a test notices.
constexpr std::uint64_t kGeneration = 1;
constexpr std::uint64_t kSlots = 64;
// Profiles of engines have 10 KiB.
constexpr std::size_t kLongestKey = 256UL * 1024;
constexpr std::size_t kLongestFile = kLongestKey + BPF_MAXINSNS * sizeof(sock_filter) + 16;
constexpr const char* kNewFile = "new";

class KeyWriter {
 public:
  void add(std::uint64_t number) { key_.append(reinterpret_cast<const char*>(&number), sizeof number); }
  void add(std::string_view text) {
    add(text.size());
    key_ += text;
  }
  [[nodiscard]] std::string take() { return std::move(key_); }

 private:
  std::string key_;
};

// FNV-1a: finds slots, and what a power failure left half written. Nobody's safety depends on it.
std::uint64_t hash_of(std::string_view data) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char character : data) {
    hash = (hash ^ static_cast<unsigned char>(character)) * 0x100000001b3;
  }
  return hash;
}

// Where two profiles meet in a slot, the newer one stays.
std::string slot_of(std::string_view key) {
  return std::to_string(hash_of(key) % kSlots);
}

struct Header {
  std::uint64_t key_size = 0;
  std::uint64_t hash = 0;  ///< of the instructions
};

// Only what this user alone could have written.
Status check_ownership(int fd, std::string_view name) {
  const struct stat status = TRY(sys::stat_fd(fd, name));
  if (status.st_uid != ::geteuid() || (status.st_mode & 077U) != 0) {
    return fail(ErrorKind::kSystem, "{}: not this user's own", name);
  }
  return {};
}

Result<sys::UniqueFd> open_directory(const std::string& path) {
  sys::UniqueFd directory = TRY(sys::open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  TRY(check_ownership(directory.get(), path));
  return directory;
}

Result<std::string> read_slot(const std::string& path, std::string_view key) {
  const sys::UniqueFd directory = TRY(open_directory(path));
  const std::string slot = slot_of(key);
  const sys::UniqueFd file = TRY(sys::open_at(directory.get(), slot, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  TRY(check_ownership(file.get(), slot));
  return sys::read_all(file.get(), kLongestFile, slot);
}

// Written whole before it has the slot's name. The lock ends with its holder: nothing is left of a write that was cut
// off but a file that the next one overwrites.
Status write_slot(const std::string& path, std::string_view key, std::string_view content) {
  if (auto made = sys::make_directory(AT_FDCWD, path, 0700); !made && !made.error().is(EEXIST)) {
    return made;
  }
  const sys::UniqueFd directory = TRY(open_directory(path));
  TRY(sys::lock_file(directory.get(), LOCK_EX | LOCK_NB, path));
  const sys::UniqueFd file =
      TRY(sys::open_at(directory.get(), kNewFile, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
  TRY(sys::write_all(file.get(), content, kNewFile));
  return sys::rename_at(directory.get(), kNewFile, slot_of(key));
}

}  // namespace

std::string filter_key(const plan::Seccomp& seccomp) {
  const scmp_version* library = ::seccomp_version();
  KeyWriter key;
  key.add(kGeneration);
  key.add((std::uint64_t{library->major} << 32) | (library->minor << 16) | library->micro);
  key.add(static_cast<std::uint64_t>(seccomp.default_action));
  key.add(seccomp.default_errno_return);
  key.add(seccomp.fail_unknown ? 1 : 0);
  key.add(seccomp.architectures.size());
  for (const std::string& architecture : seccomp.architectures) {
    key.add(architecture);
  }
  key.add(seccomp.rules.size());
  for (const plan::SeccompRule& rule : seccomp.rules) {
    key.add(static_cast<std::uint64_t>(rule.action));
    key.add(rule.errno_return);
    key.add(rule.names.size());
    for (const std::string& name : rule.names) {
      key.add(name);
    }
    key.add(rule.arguments.size());
    for (const plan::SeccompArgument& argument : rule.arguments) {
      key.add(argument.index);
      key.add(static_cast<std::uint64_t>(argument.op));
      key.add(argument.value);
      key.add(argument.value_two);
    }
  }
  return key.take();
}

std::optional<std::vector<sock_filter>> FilterCache::find(std::string_view key) const {
  if (directory_.empty()) {
    return std::nullopt;
  }
  const Result<std::string> content = read_slot(directory_, key);
  if (!content) {
    log::debug("seccomp filter cache: {}", content.error().message());
    return std::nullopt;
  }
  Header header;
  if (content->size() < sizeof header + key.size()) {
    return std::nullopt;
  }
  std::memcpy(&header, content->data(), sizeof header);
  const std::string_view kept_key = std::string_view(*content).substr(sizeof header, key.size());
  const std::string_view instructions = std::string_view(*content).substr(sizeof header + key.size());
  if (header.key_size != key.size() || kept_key != key || header.hash != hash_of(instructions) ||
      instructions.empty() || instructions.size() % sizeof(sock_filter) != 0) {
    return std::nullopt;
  }
  std::vector<sock_filter> filter(instructions.size() / sizeof(sock_filter));
  std::memcpy(filter.data(), instructions.data(), instructions.size());
  return filter;
}

void FilterCache::keep(std::string_view key, std::span<const sock_filter> filter) const {
  if (directory_.empty() || key.size() > kLongestKey) {
    return;
  }
  const std::string_view instructions(reinterpret_cast<const char*>(filter.data()), filter.size_bytes());
  const Header header{.key_size = key.size(), .hash = hash_of(instructions)};
  std::string content(reinterpret_cast<const char*>(&header), sizeof header);
  content.append(key).append(instructions);
  if (auto written = write_slot(directory_, key, content); !written) {
    log::debug("seccomp filter cache: {}", written.error().message());
  }
}

}  // namespace berth::security
