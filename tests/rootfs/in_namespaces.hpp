// Runs a test's body as a container's process would run: in new namespaces, as their root.
#pragma once

#include <berth/rootfs/rootfs.hpp>
#include <berth/sys/file.hpp>
#include <berth/sys/mount.hpp>
#include <berth/sys/unique_fd.hpp>

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <temporary_tree.hpp>
#include <vector>

namespace berth::test {

/// What a body reports: "" if all is as it should be. A failure of the body's own preparations is a text too.
using Body = std::function<std::string()>;

namespace detail {

/// What does not arrive shows in what the body finds, or in its report. (A cast to void would not do for a function
/// that the C library marks: GCC warns all the same.)
inline void write_all(int fd, const std::string& text) {
  [[maybe_unused]] const ssize_t written = ::write(fd, text.data(), text.size());
}

inline void write_text(const char* path, const std::string& text) {
  const sys::UniqueFd fd(::open(path, O_WRONLY | O_CLOEXEC));
  write_all(fd.get(), text);
}

inline bool enter_namespaces(bool user_namespace) {
  const uid_t uid = ::getuid();
  const gid_t gid = ::getgid();
  constexpr int kCommon = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWUTS;
  if (::unshare(user_namespace ? kCommon | CLONE_NEWUSER : kCommon) < 0) {
    return false;
  }
  if (user_namespace) {
    write_text("/proc/self/setgroups", "deny");
    write_text("/proc/self/uid_map", "0 " + std::to_string(uid) + " 1");
    write_text("/proc/self/gid_map", "0 " + std::to_string(gid) + " 1");
  }
  return true;
}

[[noreturn]] inline void report_and_exit(int pipe, const std::string& text) {
  write_all(pipe, text);
  ::_exit(0);
}

inline std::string read_and_reap(int pipe, pid_t child) {
  std::string text;
  std::array<char, 4096> buffer;
  for (ssize_t count = 0; (count = ::read(pipe, buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status == 0 ? text : text + " (the process died)";
}

}  // namespace detail

constexpr const char* kRefused = "this host refuses namespaces";

/// The body's report from a new process in new namespaces of all kinds but cgroup; kRefused where the host does not
/// let us. A process of its own lets the body pivot, and takes its mounts away when it ends.
inline std::string in_namespaces(const Body& body, bool user_namespace = true) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (!detail::enter_namespaces(user_namespace)) {
      detail::report_and_exit(ends[1], kRefused);
    }
    const pid_t init = ::fork();
    if (init == 0) {
      detail::report_and_exit(ends[1], body());
    }
    int status = 0;
    ::waitpid(init, &status, 0);
    ::_exit(status == 0 ? 0 : 1);
  }
  ::close(ends[1]);
  std::string text = detail::read_and_reap(ends[0], child);
  ::close(ends[0]);
  if (text == kRefused) {
    WARN("skipped: " << kRefused);
    return "";
  }
  return text;
}

/// The plan of a container whose rootfs is the directory `root` of the tree.
inline plan::Rootfs plan_for(const TemporaryTree& tree) {
  plan::Rootfs plan;
  plan.path = tree.at("root").string();
  return plan;
}

inline plan::Mount filesystem(const std::string& type, const std::string& destination, std::uint64_t attributes = 0) {
  plan::Mount mount;
  mount.type = type;
  mount.destination = destination;
  mount.attributes.set = attributes;
  mount.pointer = "/mounts/0";
  return mount;
}

inline plan::Mount bind_mount(const std::filesystem::path& source, const std::string& destination) {
  plan::Mount mount;
  mount.kind = plan::MountKind::kBind;
  mount.source = source.string();
  mount.destination = destination;
  mount.recursive = true;
  mount.pointer = "/mounts/0";
  return mount;
}

inline plan::Device device(const std::string& path, unsigned major, unsigned minor) {
  plan::Device made;
  made.path = path;
  made.major = major;
  made.minor = minor;
  return made;
}

inline rootfs::Options user_namespace_options() {
  rootfs::Options options;
  options.new_user_namespace = true;
  return options;
}

/// All steps of a container's root, in the order of a launch.
inline Status build(rootfs::RootfsBuilder& builder) {
  TRY(builder.open_sources());
  TRY(builder.mount_all());
  TRY(builder.make_devices());
  TRY(builder.pivot());
  return builder.seal();
}

inline std::string build_text(const plan::Rootfs& plan, const rootfs::Options& options = user_namespace_options()) {
  rootfs::RootfsBuilder builder(plan, options);
  const auto built = build(builder);
  return built ? "" : built.error().message();
}

/// The root up to before pivot(), for what the steps before leave.
inline Status prepare(rootfs::RootfsBuilder& builder) {
  TRY(builder.open_sources());
  TRY(builder.mount_all());
  return builder.make_devices();
}

/// In a body: puts a tmpfs on a directory of the host.
inline bool mount_tmpfs(const std::filesystem::path& directory) {
  const auto context = sys::fs_open("tmpfs");
  if (!context || !sys::fs_create(context->get(), "tmpfs")) {
    return false;
  }
  const auto mount = sys::fs_mount(context->get(), 0, "tmpfs");
  const auto target = sys::open_at(AT_FDCWD, directory.string(), O_PATH | O_DIRECTORY);
  return mount && target && sys::move_mount(mount->get(), target->get(), "tmpfs").has_value();
}

inline std::string content(const std::string& path) {
  std::ifstream stream(path);
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

/// errno of opening the file for writing (made if it is missing); 0 if that works.
inline int error_of_writing(const std::string& path) {
  const sys::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  return fd.valid() ? 0 : errno;
}

}  // namespace berth::test

/// In a body: gives up with the expression's text where it does not hold.
#define EXPECT(...)                                  \
  do {                                               \
    if (!(__VA_ARGS__)) {                            \
      return std::string("not true: " #__VA_ARGS__); \
    }                                                \
  } while (false)
/// In a body: gives up with the error of a Result.
#define EXPECT_OK(...)                                                 \
  do {                                                                 \
    if (const auto& outcome = (__VA_ARGS__); !outcome) {               \
      return "failed: " #__VA_ARGS__ ": " + outcome.error().message(); \
    }                                                                  \
  } while (false)
/// In a body: gives up unless the text is the expected one.
#define EXPECT_TEXT(actual, expected)                                       \
  do {                                                                      \
    const std::string text = (actual);                                      \
    if (text != (expected)) {                                               \
      return #actual " is \"" + text + "\" and not \"" + (expected) + "\""; \
    }                                                                       \
  } while (false)
