#include <linux/mount.h>

#include <catch2/catch.hpp>

#include "plan/lowered.hpp"
#include "plan/mount_options.hpp"

namespace berth::plan {
namespace {

constexpr std::uint64_t kNoSymfollow = 0x200000;

std::string mounts(const std::string& list) {
  return "\"mounts\": [" + list + "]";
}

std::string quoted_list(const std::vector<std::string>& options) {
  std::string list;
  for (const std::string& option : options) {
    list += (list.empty() ? "\"" : ", \"") + option + "\"";
  }
  return "[" + list + "]";
}

Mount with_options(const std::string& type, const std::vector<std::string>& options) {
  return plan_of({.top = mounts(R"({"destination": "/m", "source": "s", "type": ")" + type + R"(", "options": )" +
                                quoted_list(options) + "}")})
      .rootfs.mounts.at(0);
}

struct Attributes {
  std::uint64_t set;
  std::uint64_t clear;
  friend bool operator==(const Attributes&, const Attributes&) = default;
};
Attributes of(const MountAttributes& attributes) {
  return {attributes.set, attributes.clear};
}

TEST_CASE("Each option sets or clears its attribute, alone or with the mounts below") {
  struct Case {
    std::string name;
    Attributes expected;
  };
  const Case cases[] = {
      {"ro", {MOUNT_ATTR_RDONLY, 0}},
      {"rw", {0, MOUNT_ATTR_RDONLY}},
      {"nosuid", {MOUNT_ATTR_NOSUID, 0}},
      {"suid", {0, MOUNT_ATTR_NOSUID}},
      {"nodev", {MOUNT_ATTR_NODEV, 0}},
      {"dev", {0, MOUNT_ATTR_NODEV}},
      {"noexec", {MOUNT_ATTR_NOEXEC, 0}},
      {"exec", {0, MOUNT_ATTR_NOEXEC}},
      {"nodiratime", {MOUNT_ATTR_NODIRATIME, 0}},
      {"diratime", {0, MOUNT_ATTR_NODIRATIME}},
      {"nosymfollow", {kNoSymfollow, 0}},
      {"symfollow", {0, kNoSymfollow}},
      {"noatime", {MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME}},
      {"strictatime", {MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME}},
      {"relatime", {0, MOUNT_ATTR__ATIME}},
      {"atime", {0, MOUNT_ATTR__ATIME}},
      {"norelatime", {0, 0}},
      {"nostrictatime", {0, 0}},
  };
  for (const Case& entry : cases) {
    INFO(entry.name);
    const Mount alone = with_options("bind", {entry.name});
    CHECK(of(alone.attributes) == entry.expected);
    CHECK(alone.recursive_attributes.empty());
    const Mount tree = with_options("bind", {"r" + entry.name});
    CHECK(of(tree.recursive_attributes) == entry.expected);
    CHECK(tree.attributes.empty());
  }
}

TEST_CASE("Of options that contradict each other the later one counts") {
  CHECK(of(with_options("bind", {"ro", "rw"}).attributes) == Attributes{0, MOUNT_ATTR_RDONLY});
  CHECK(of(with_options("bind", {"rw", "ro"}).attributes) == Attributes{MOUNT_ATTR_RDONLY, 0});
  CHECK(of(with_options("bind", {"noatime", "strictatime"}).attributes) ==
        Attributes{MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME});
  CHECK(of(with_options("bind", {"strictatime", "nostrictatime"}).attributes) == Attributes{0, 0});
  CHECK(of(with_options("bind", {"noatime", "nostrictatime"}).attributes) ==
        Attributes{MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME});
  CHECK(of(with_options("bind", {"noatime", "atime"}).attributes) == Attributes{0, MOUNT_ATTR__ATIME});
  CHECK(with_options("tmpfs", {"sync", "dirsync", "async"}).fs_options.size() == 1);
}

TEST_CASE("Propagation") {
  struct Case {
    std::string name;
    std::uint64_t flag;
  };
  for (const Case& entry : {Case{"private", MS_PRIVATE}, Case{"shared", MS_SHARED}, Case{"slave", MS_SLAVE},
                            Case{"unbindable", MS_UNBINDABLE}}) {
    INFO(entry.name);
    CHECK(with_options("bind", {entry.name}).propagation == entry.flag);
    CHECK_FALSE(with_options("bind", {entry.name}).propagation_recursive);
    CHECK(with_options("bind", {"r" + entry.name}).propagation == entry.flag);
    CHECK(with_options("bind", {"r" + entry.name}).propagation_recursive);
    for (const bool recursive : {false, true}) {
      const Rootfs plan =
          plan_of({.linux_block = "\"rootfsPropagation\": \"" + (recursive ? "r" + entry.name : entry.name) + "\""})
              .rootfs;
      CHECK(plan.propagation == entry.flag);
      CHECK(plan.propagation_recursive == recursive);
    }
  }
  CHECK(with_options("bind", {}).propagation == 0);
}

TEST_CASE("Type and options decide the kind of a mount") {
  CHECK(with_options("bind", {}).kind == MountKind::kBind);
  CHECK(with_options("none", {}).kind == MountKind::kBind);
  CHECK(with_options("", {"bind"}).kind == MountKind::kBind);
  CHECK(with_options("ext4", {"rbind"}).kind == MountKind::kBind);
  CHECK(with_options("tmpfs", {}).kind == MountKind::kFilesystem);
  CHECK(with_options("cgroup", {"ro"}).kind == MountKind::kCgroup);
  CHECK(with_options("cgroup2", {"ro"}).kind == MountKind::kCgroup);
  CHECK_FALSE(with_options("bind", {"bind"}).recursive);
  CHECK(with_options("bind", {"rbind"}).recursive);
  CHECK(with_options("bind", {"rbind", "bind"}).recursive);
  CHECK(with_options("bind", {}).source == "/bundle/s");
  CHECK(with_options("ext4", {}).source == "s");
  CHECK(with_options("ext4", {}).type == "ext4");
  CHECK(with_options("tmpfs", {}).pointer == "/mounts/0");
}

TEST_CASE("A destination is below the root, also where it is written relative") {
  const auto destination = [](const std::string& text) {
    return plan_of({.top = mounts(R"({"type": "tmpfs", "destination": ")" + text + R"("})")})
        .rootfs.mounts.at(0)
        .destination;
  };
  CHECK(destination("/a//b/.") == "/a/b");
  CHECK(destination("//a") == "/a");
  CHECK(destination("a/b") == "/a/b");
  CHECK(destination("./a") == "/a");
  CHECK(destination("../../a") == "/a");
}

TEST_CASE("Options of a new file system are handed to it") {
  using Options = std::vector<std::pair<std::string, std::optional<std::string>>>;
  CHECK(with_options("tmpfs", {"nosuid", "mode=755", "size=65536k", "noswap"}).fs_options ==
        Options{{"mode", "755"}, {"size", "65536k"}, {"noswap", std::nullopt}});
  CHECK(with_options("tmpfs", {"mode=1777,size=1m"}).fs_options == Options{{"mode", "1777"}, {"size", "1m"}});
  CHECK(with_options("overlay", {"lowerdir=/a\\\\,b:/c"}).fs_options == Options{{"lowerdir", "/a\\,b:/c"}});
  CHECK(with_options("tmpfs", {R"(context=\"u:r:t:s0:c1,c2\",mode=1)"}).fs_options ==
        Options{{"context", "u:r:t:s0:c1,c2"}, {"mode", "1"}});
  CHECK(with_options("x", {"a=b=c", "d="}).fs_options == Options{{"a", "b=c"}, {"d", ""}});
  CHECK(with_options("sysfs", {"ro", "sync", "lazytime", "mand", "dirsync", "silent", "loud", "iversion", "defaults"})
            .fs_options == Options{{"sync", std::nullopt},
                                   {"lazytime", std::nullopt},
                                   {"mand", std::nullopt},
                                   {"dirsync", std::nullopt},
                                   {"ro", std::nullopt}});
  CHECK(with_options("sysfs", {"ro"}).attributes.set == MOUNT_ATTR_RDONLY);
  CHECK(with_options("bind", {"ro"}).fs_options.empty());
  CHECK(with_options("cgroup", {"ro"}).fs_options.empty());
  CHECK(with_options("bind", {"sync"}).fs_options.empty());
}

TEST_CASE("A remount changes the mount, and without bind its file system too") {
  using Options = std::vector<std::pair<std::string, std::optional<std::string>>>;
  const Mount whole = with_options("tmpfs", {"remount", "ro", "size=1m", "sync"});
  CHECK(whole.kind == MountKind::kRemount);
  CHECK(whole.attributes.set == MOUNT_ATTR_RDONLY);
  CHECK(whole.fs_options == Options{{"size", "1m"}, {"sync", std::nullopt}, {"ro", std::nullopt}});
  CHECK(with_options("tmpfs", {"remount", "rw", "async"}).fs_options ==
        Options{{"async", std::nullopt}, {"rw", std::nullopt}});
  const Mount alone = with_options("", {"bind", "remount", "ro", "sync", "async"});
  CHECK(alone.kind == MountKind::kRemount);
  CHECK(alone.attributes.set == MOUNT_ATTR_RDONLY);
  CHECK(alone.fs_options.empty());
}

TEST_CASE("The other options") {
  CHECK(with_options("tmpfs", {"tmpcopyup"}).copy_up);
  CHECK(with_options("bind", {"copy-symlink"}).copy_symlink);
  CHECK(with_options("bind", {"src-nofollow"}).source_nofollow);
  CHECK(with_options("tmpfs", {"dest-nofollow"}).destination_nofollow);
}

TEST_CASE("Every option of the table is found, and accepted on the mounts it is for") {
  for (const MountOption& option : mount_options()) {
    INFO(option.name);
    CHECK(find_mount_option(option.name) == &option);
    if (option.effect != MountEffect::kIdmap) {
      CHECK_NOTHROW(with_options(option.name == "tmpcopyup" ? "tmpfs" : "bind", {std::string(option.name)}));
    }
  }
  CHECK(find_mount_option("") == nullptr);
  CHECK(find_mount_option("zzz") == nullptr);
  CHECK(find_mount_option("RO") == nullptr);
}

TEST_CASE("Mounts that cannot be are refused by their pointer") {
  struct Case {
    std::string mount;
    std::string_view expected;
  };
  const Case cases[] = {
      {R"({"destination": "", "type": "tmpfs"})", "/mounts/0/destination: got \"\", expected an absolute path"},
      {R"({"destination": "a/..", "type": "tmpfs"})", "/mounts/0/destination: got \"a/..\", expected a path below /"},
      {R"({"destination": "/a/..", "type": "tmpfs"})", "/mounts/0/destination: got \"/a/..\", expected a path below /"},
      {R"({"destination": "/m"})", "/mounts/0/type: got nothing"},
      {R"({"destination": "/m", "type": "bind"})", "/mounts/0/source: got nothing"},
      {R"({"destination": "/m", "options": ["rbind"]})", "/mounts/0/source: got nothing"},
      {R"({"destination": "/m", "type": "bind", "source": "s", "options": ["ro", "x"]})",
       "/mounts/0/options/1: got \"x\""},
      {R"({"destination": "/m", "type": "cgroup", "options": ["nsdelegate"]})",
       "/mounts/0/options/0: got \"nsdelegate\""},
      {R"({"destination": "/m", "type": "tmpfs", "options": [""]})", "/mounts/0/options/0: got \"\""},
      {R"({"destination": "/m", "type": "tmpfs", "options": ["a,,b"]})", "/mounts/0/options/0: got \"a,,b\""},
      {R"({"destination": "/m", "type": "bind", "options": ["remount", "size=1m"]})",
       "/mounts/0/options/1: got \"size=1m\""},
      {R"({"destination": "/m", "type": "tmpfs", "options": ["remount", "tmpcopyup"]})",
       "/mounts/0/options: got \"tmpcopyup\""},
      {R"({"destination": "/m", "type": "proc", "options": ["tmpcopyup"]})", "/mounts/0/options: got \"tmpcopyup\""},
      {R"({"destination": "/m", "type": "proc", "options": ["copy-symlink"]})",
       "/mounts/0/options: got \"copy-symlink\""},
      {R"({"destination": "/m", "type": "proc", "options": ["src-nofollow"]})",
       "/mounts/0/options: got \"src-nofollow\""},
  };
  for (const Case& entry : cases) {
    INFO(entry.mount);
    CHECK_THAT(error_of({.top = mounts(entry.mount)}), Catch::StartsWith(std::string(entry.expected)));
  }
}

TEST_CASE("Masked and read-only paths are absolute and clean") {
  const Rootfs plan =
      plan_of({.linux_block = R"("maskedPaths": ["/proc//kcore/"], "readonlyPaths": ["/proc/./sys"])"}).rootfs;
  CHECK(plan.masked_paths == std::vector<std::string>{"/proc/kcore"});
  CHECK(plan.readonly_paths == std::vector<std::string>{"/proc/sys"});
  CHECK_THAT(error_of({.linux_block = R"("maskedPaths": ["/a", "b"])"}),
             Catch::StartsWith("/linux/maskedPaths/1: got"));
  CHECK_THAT(error_of({.linux_block = R"("maskedPaths": ["/.."])"}), Catch::StartsWith("/linux/maskedPaths/0: got"));
  CHECK_THAT(error_of({.linux_block = R"("readonlyPaths": [""])"}), Catch::StartsWith("/linux/readonlyPaths/0: got"));
  CHECK_THAT(error_of({.linux_block = R"("rootfsPropagation": "all")"}),
             Catch::StartsWith("/linux/rootfsPropagation: got \"all\", expected one of private"));
}

TEST_CASE("Nothing is mounted without a mount namespace") {
  const std::string only_uts = R"({"type": "uts"})";
  CHECK(error_of({.namespaces = only_uts}).empty());
  CHECK_THAT(error_of({.top = mounts(R"({"destination": "/m", "type": "proc"})"), .namespaces = only_uts}),
             Catch::StartsWith("/mounts: got a change of mounts"));
  for (const std::string name : {"maskedPaths", "readonlyPaths"}) {
    CHECK_THAT(error_of({.linux_block = "\"" + name + "\": [\"/a\"]", .namespaces = only_uts}),
               Catch::StartsWith("/linux/" + name + ": got a change of mounts"));
  }
  CHECK_THAT(error_of({.linux_block = R"("rootfsPropagation": "slave")", .namespaces = only_uts}),
             Catch::StartsWith("/linux/rootfsPropagation: got"));
  const auto readonly = lower_text(R"({"ociVersion": "1.3.0", "root": {"path": "r", "readonly": true}})");
  REQUIRE_FALSE(readonly.has_value());
  CHECK_THAT(readonly.error().message(), Catch::StartsWith("/root/readonly: got"));
  CHECK(error_of({.top = mounts(R"({"destination": "/m", "type": "proc"})"),
                  .namespaces = R"({"type": "mount", "path": "/proc/1/ns/mnt"})"})
            .empty());
}

}  // namespace
}  // namespace berth::plan
