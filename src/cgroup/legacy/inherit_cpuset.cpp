#include <berth/sys/file.hpp>

#include <fcntl.h>

#include "cgroup/directory.hpp"

namespace berth::cgroup::legacy {
namespace {

constexpr const char* kCpus = "/cpuset.cpus";
constexpr const char* kMems = "/cpuset.mems";

Result<std::string> read_list(const std::string& file) {
  std::string text = TRY(sys::read_file(AT_FDCWD, file, 64UL * 1024));
  text.erase(text.find_last_not_of('\n') + 1);
  return text;
}

Result<Cpuset> read_cpuset(const std::string& path) {
  return Cpuset{.cpus = TRY(read_list(path + kCpus)), .mems = TRY(read_list(path + kMems))};
}

bool complete(const Cpuset& cpuset) {
  return !cpuset.cpus.empty() && !cpuset.mems.empty();
}

}  // namespace

Result<Cpuset> inherit_cpuset(const std::string& root, const std::string& path, bool is_new,
                              const std::optional<Cpuset>& of_parent) {
  Cpuset own;
  if (!is_new) {
    own = TRY(read_cpuset(path));
    if (complete(own)) {
      return own;
    }
  }
  const std::string parent = parent_of(path);
  Cpuset inherited = of_parent ? *of_parent : TRY(read_cpuset(parent));
  if (!complete(inherited) && parent.size() > root.size()) {
    inherited = TRY(inherit_cpuset(root, parent, false, {}));
  }
  if (own.cpus.empty()) {
    TRY(sys::write_file(AT_FDCWD, path + kCpus, inherited.cpus));
    own.cpus = inherited.cpus;
  }
  if (own.mems.empty()) {
    TRY(sys::write_file(AT_FDCWD, path + kMems, inherited.mems));
    own.mems = inherited.mems;
  }
  return own;
}

}  // namespace berth::cgroup::legacy
