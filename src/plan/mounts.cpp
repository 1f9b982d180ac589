#include <berth/base/log.hpp>

#include <linux/mount.h>
#include <sched.h>

#include <algorithm>

#include "plan/clean_path.hpp"
#include "plan/lowering.hpp"
#include "plan/mount_idmap.hpp"
#include "plan/mount_options.hpp"
#include "plan/named.hpp"

namespace berth::plan {
namespace {

using spec::Problems;
using spec::quoted;

// rootfsPropagation, with the recursive forms that engines write beside the four of the specification.
struct Propagation {
  std::uint64_t flag;
  bool recursive;
};
constexpr std::array<Named<Propagation>, 8> kPropagations = {{
    {"private", {MS_PRIVATE, false}},
    {"shared", {MS_SHARED, false}},
    {"slave", {MS_SLAVE, false}},
    {"unbindable", {MS_UNBINDABLE, false}},
    {"rprivate", {MS_PRIVATE, true}},
    {"rshared", {MS_SHARED, true}},
    {"rslave", {MS_SLAVE, true}},
    {"runbindable", {MS_UNBINDABLE, true}},
}};

// The end of the first of several options in one string. mount(2) took them all as one text, so a comma parts them,
// except behind a backslash (overlay's paths) and in quotes (SELinux contexts).
std::size_t option_end(std::string_view text) {
  bool in_quotes = false;
  for (std::size_t index = 0; index < text.size(); ++index) {
    if (text[index] == '\\') {
      ++index;
    } else if (text[index] == '"') {
      in_quotes = !in_quotes;
    } else if (text[index] == ',' && !in_quotes) {
      return index;
    }
  }
  return text.size();
}

// Adds the options of the file system that stand in `text`; false if one has no name.
bool add_fs_options(std::string_view text, Mount& mount) {
  while (true) {
    const std::size_t end = option_end(text);
    const std::string_view option = text.substr(0, end);
    const std::size_t equals = option.find('=');
    const std::string_view key = option.substr(0, equals);
    if (key.empty()) {
      return false;
    }
    if (equals == std::string_view::npos) {
      mount.fs_options.emplace_back(key, std::nullopt);
    } else {
      std::string_view value = option.substr(equals + 1);
      if (value.size() >= 2 && value.starts_with('"') && value.ends_with('"')) {
        value = value.substr(1, value.size() - 2);
      }
      mount.fs_options.emplace_back(key, std::string(value));
    }
    if (end == text.size()) {
      return true;
    }
    text.remove_prefix(end + 1);
  }
}

bool has_option(const spec::Mount& entry, std::string_view option) {
  return std::ranges::find(entry.options, option) != entry.options.end();
}

bool is_bind(const spec::Mount& entry) {
  return entry.type == "bind" || entry.type == "none" || has_option(entry, "bind") || has_option(entry, "rbind");
}

// Whether options can go to a file system: as mount(8) has it, a remount with bind changes the mount alone.
bool has_file_system(const spec::Mount& entry, const Mount& mount) {
  return mount.kind == MountKind::kFilesystem || (mount.kind == MountKind::kRemount && !is_bind(entry));
}

void lower_options(Lowering& lowering, const spec::Mount& entry, Mount& mount) {
  Problems& problems = lowering.problems;
  for (std::size_t index = 0; index < entry.options.size(); ++index) {
    const std::string& text = entry.options[index];
    const auto refuse = [&](std::string_view expected) {
      problems.add(fmt::format("{}/options/{}", mount.pointer, index), quoted(text), expected);
    };
    if (const MountOption* option = find_mount_option(text); option != nullptr) {
      if (option->effect == MountEffect::kSuperblock && !has_file_system(entry, mount)) {
        log::warning("{}/options/{}: {} has no effect on this mount: it belongs to a file system", mount.pointer, index,
                     text);
      } else if (option->effect != MountEffect::kNotSuperblock || has_file_system(entry, mount)) {
        apply(*option, mount);
      }
    } else if (is_idmap_with_mappings(text)) {
      lower_idmap_option(lowering, fmt::format("{}/options/{}", mount.pointer, index), text, mount);
    } else if (mount.kind == MountKind::kCgroup) {
      refuse("a mount option: the container's cgroups take none of a file system");
    } else if (!has_file_system(entry, mount)) {
      refuse("a mount option: a bind mount takes none of a file system");
    } else if (!add_fs_options(text, mount)) {
      refuse("an option with a name");
    }
  }
}

MountKind mount_kind(const spec::Mount& entry) {
  if (has_option(entry, "remount")) {
    return MountKind::kRemount;
  }
  if (is_bind(entry)) {
    return MountKind::kBind;
  }
  return entry.type == "cgroup" || entry.type == "cgroup2" ? MountKind::kCgroup : MountKind::kFilesystem;
}

// What the options ask for must fit the kind of the mount.
void check_kind(Problems& problems, const spec::Mount& entry, const Mount& mount) {
  const bool bind = mount.kind == MountKind::kBind;
  if (bind && entry.source.empty()) {
    problems.add(mount.pointer + "/source", "nothing", "the path to bind");
  }
  if (mount.kind == MountKind::kFilesystem && entry.type.empty()) {
    problems.add(mount.pointer + "/type", "nothing", "a file system type, or the option bind or rbind");
  }
  if (mount.copy_up && (mount.kind != MountKind::kFilesystem || entry.type != "tmpfs")) {
    problems.add(mount.pointer + "/options", "\"tmpcopyup\"", "it on a new tmpfs only");
  }
  if (!bind && (mount.copy_symlink || mount.source_nofollow)) {
    problems.add(mount.pointer + "/options", mount.copy_symlink ? "\"copy-symlink\"" : "\"src-nofollow\"",
                 "it on a bind mount only");
  }
}

Mount lower_mount(Lowering& lowering, std::size_t index) {
  const spec::Mount& entry = lowering.config.mounts[index];
  Mount mount;
  mount.pointer = fmt::format("/mounts/{}", index);
  mount.kind = mount_kind(entry);
  mount.type = mount.kind == MountKind::kFilesystem ? entry.type : "";
  const bool bind = mount.kind == MountKind::kBind;
  mount.source = bind && !entry.source.empty() ? join_path(lowering.bundle, entry.source) : entry.source;
  // "It MAY be a relative path, in which case it MUST be interpreted as relative to /" (config.md, since 1.2).
  mount.destination = clean_path("/" + entry.destination);
  if (entry.destination.empty()) {
    lowering.problems.add(mount.pointer + "/destination", "\"\"", "an absolute path");
  } else if (mount.destination == "/") {
    lowering.problems.add(mount.pointer + "/destination", quoted(entry.destination),
                          "a path below /: the root is /root/path");
  }
  lower_options(lowering, entry, mount);
  lower_idmap(lowering, entry, mount);
  check_kind(lowering.problems, entry, mount);
  // A new file system that is read-only itself, not only here, as mount(2) made it.
  if (has_file_system(entry, mount) && (mount.attributes.set & MOUNT_ATTR_RDONLY) != 0) {
    mount.fs_options.emplace_back("ro", std::nullopt);
  } else if (mount.kind == MountKind::kRemount && has_file_system(entry, mount) &&
             (mount.attributes.clear & MOUNT_ATTR_RDONLY) != 0) {
    mount.fs_options.emplace_back("rw", std::nullopt);
  }
  return mount;
}

std::vector<std::string> lower_paths(Problems& problems, const std::vector<std::string>& paths, std::string_view name) {
  std::vector<std::string> result;
  result.reserve(paths.size());
  for (std::size_t index = 0; index < paths.size(); ++index) {
    result.push_back(clean_path(paths[index]));
    if (!paths[index].starts_with('/') || result.back() == "/") {
      problems.add(fmt::format("/linux/{}/{}", name, index), quoted(paths[index]), "an absolute path below /");
    }
  }
  return result;
}

void lower_root(Lowering& lowering) {
  const std::optional<spec::Root>& root = lowering.config.root;
  Rootfs& plan = lowering.plan.rootfs;
  if (!root) {
    lowering.problems.add("/root", "nothing", "this property");
    return;
  }
  if (root->path.empty()) {
    lowering.problems.add("/root/path", "\"\"", "the path of the root file system");
  }
  plan.path = join_path(lowering.bundle, root->path);
  plan.readonly = root->readonly;
  if (const std::string& name = lowering.linux.rootfs_propagation; !name.empty()) {
    if (const Propagation* propagation = find(kPropagations, name); propagation != nullptr) {
      plan.propagation = propagation->flag;
      plan.propagation_recursive = propagation->recursive;
    } else {
      lowering.problems.add("/linux/rootfsPropagation", quoted(name), one_of(kPropagations));
    }
  }
}

// crun's annotation, with which an engine says how the label is given.
void lower_label_option(Lowering& lowering) {
  constexpr std::array<std::string_view, 4> kLabelOptions = {"context", "fscontext", "defcontext", "rootcontext"};
  const std::string* option = annotation(lowering, "run.oci.mount_context_type");
  if (option == nullptr) {
    return;
  }
  if (std::ranges::find(kLabelOptions, *option) == kLabelOptions.end()) {
    lowering.problems.add("/annotations/run.oci.mount_context_type", quoted(*option),
                          fmt::format("one of {}", fmt::join(kLabelOptions, ", ")));
  }
  lowering.plan.rootfs.label_option = *option;
}

// Everything that would change mounts of the host if the container had no mount namespace.
void check_mount_namespace(Lowering& lowering) {
  const Rootfs& plan = lowering.plan.rootfs;
  const auto need = [&](bool asked, std::string_view pointer) {
    if (asked) {
      lowering.problems.add(pointer, "a change of mounts", "a mount namespace in /linux/namespaces");
    }
  };
  need(!plan.mounts.empty(), "/mounts");
  need(plan.readonly, "/root/readonly");
  need(plan.propagation != 0, "/linux/rootfsPropagation");
  need(!plan.masked_paths.empty(), "/linux/maskedPaths");
  need(!plan.readonly_paths.empty(), "/linux/readonlyPaths");
}

}  // namespace

void lower_mounts(Lowering& lowering) {
  Rootfs& plan = lowering.plan.rootfs;
  lower_root(lowering);
  plan.mounts.reserve(lowering.config.mounts.size());
  for (std::size_t index = 0; index < lowering.config.mounts.size(); ++index) {
    plan.mounts.push_back(lower_mount(lowering, index));
  }
  plan.masked_paths = lower_paths(lowering.problems, lowering.linux.masked_paths, "maskedPaths");
  plan.readonly_paths = lower_paths(lowering.problems, lowering.linux.readonly_paths, "readonlyPaths");
  plan.mount_label = lowering.linux.mount_label;
  lower_label_option(lowering);
  if (!lowering.plan.namespaces.has(CLONE_NEWNS)) {
    check_mount_namespace(lowering);
  }
}

}  // namespace berth::plan
