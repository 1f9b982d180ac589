#include <berth/security/credentials.hpp>

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "in_child.hpp"

using namespace berth;
using test::in_child;

namespace {

constexpr std::uint64_t bit(unsigned capability) {
  return std::uint64_t{1} << capability;
}

constexpr std::uint64_t kSome = bit(CAP_CHOWN) | bit(CAP_KILL) | bit(CAP_NET_BIND_SERVICE) | bit(CAP_AUDIT_WRITE);

bool is_root() {
  if (::geteuid() == 0) {
    return true;
  }
  WARN("skipped: needs root");
  return false;
}

// The lines of /proc/thread-self/status that tell credentials.
std::string credentials() {
  std::ifstream status("/proc/thread-self/status");
  std::string text;
  for (std::string line; std::getline(status, line);) {
    for (const char* key :
         {"Uid:", "Gid:", "Groups:", "Umask:", "CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"}) {
      if (line.starts_with(key)) {
        std::istringstream words(line);
        for (std::string word; words >> word;) {
          text += word + " ";
        }
        text.back() = '\n';
      }
    }
  }
  return text;
}

std::string expected(const plan::User& user, const plan::Capabilities& capabilities, std::uint64_t also = 0) {
  std::string groups;
  for (const gid_t gid : user.additional_gids) {
    groups += fmt::format(" {}", gid);
  }
  return fmt::format(
      "Umask: {:04o}\nUid: {} {} {} {}\nGid: {} {} {} {}\nGroups:{}\nCapInh: {:016x}\nCapPrm: {:016x}\nCapEff: "
      "{:016x}\nCapBnd: {:016x}\nCapAmb: {:016x}\n",
      user.umask, user.uid, user.uid, user.uid, user.uid, user.gid, user.gid, user.gid, user.gid, groups,
      capabilities.inheritable, capabilities.permitted | also, capabilities.effective | also, capabilities.bounding,
      capabilities.ambient);
}

std::string applied(const plan::User& user, const plan::Capabilities& capabilities, std::uint64_t also = 0) {
  return in_child([&] {
    const Status status = security::apply_credentials(user, capabilities, {.capabilities = also});
    return status ? credentials() : status.error().message();
  });
}

bool write_file(const char* path, const std::string& text) {
  const int file = ::open(path, O_WRONLY);
  const bool written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(file);
  return written;
}

// A user namespace as an unprivileged user makes it: one mapped id, setgroups denied.
bool enter_user_namespace() {
  const std::string map = fmt::format("0 {} 1", ::geteuid());
  const std::string group_map = fmt::format("0 {} 1", ::getegid());
  return ::unshare(CLONE_NEWUSER) == 0 && write_file("/proc/self/setgroups", "deny") &&
         write_file("/proc/self/uid_map", map) && write_file("/proc/self/gid_map", group_map);
}

}  // namespace

TEST_CASE("the kernel's capabilities are known") {
  std::uint64_t last = 0;
  REQUIRE(std::ifstream("/proc/sys/kernel/cap_last_cap") >> last);
  CHECK(security::known_capabilities().value() == (bit(static_cast<unsigned>(last)) << 1) - 1);
}

TEST_CASE("afterwards ids and sets are exactly the plan's") {
  if (!is_root()) {
    return;
  }
  // What the container's caller has must not show through.
  const std::array<gid_t, 2> groups = {7, 8};
  const auto root_with_groups = [&](const plan::User& user, const plan::Capabilities& capabilities) {
    return in_child([&] {
      if (::setgroups(groups.size(), groups.data()) != 0) {
        return std::string("setgroups");
      }
      return applied(user, capabilities);
    });
  };
  struct Case {
    const char* name;
    plan::User user;
    plan::Capabilities capabilities;
  };
  const plan::User root;
  const plan::User nobody = {.uid = 1000, .gid = 1001, .additional_gids = {5, 20}, .umask = 077};
  const Case cases[] = {
      {"root with some", root, {.bounding = kSome, .effective = kSome, .permitted = kSome}},
      {"root with none", root, {}},
      {"a user with none", nobody, {}},
      {"a user with a bounding set", nobody, {.bounding = kSome}},
      {"a user with permitted ones", nobody, {.bounding = kSome, .effective = bit(CAP_KILL), .permitted = kSome}},
      {"all five",
       nobody,
       {.bounding = kSome, .effective = kSome, .inheritable = kSome, .permitted = kSome, .ambient = bit(CAP_KILL)}},
      {"root with ambient ones",
       {.uid = 0, .gid = 0, .additional_gids = {0}, .umask = 027},
       {.bounding = kSome, .effective = kSome, .inheritable = kSome, .permitted = kSome, .ambient = kSome}},
  };
  for (const Case& entry : cases) {
    CAPTURE(entry.name);
    CHECK(root_with_groups(entry.user, entry.capabilities) == expected(entry.user, entry.capabilities));
  }
}

TEST_CASE("what the caller had as ambient or inheritable does not stay") {
  if (!is_root()) {
    return;
  }
  const plan::Capabilities caller = {.bounding = ~std::uint64_t{0},
                                     .effective = ~bit(CAP_SYS_TIME) & kSome,
                                     .inheritable = kSome,
                                     .permitted = kSome,
                                     .ambient = kSome};
  const plan::Capabilities none = {};
  const plan::Capabilities narrower = {
      .bounding = kSome, .effective = kSome, .inheritable = kSome, .permitted = kSome, .ambient = 0};
  for (const plan::Capabilities& wanted : {none, narrower}) {
    const std::string outcome = in_child([&] {
      plan::Capabilities first = caller;
      first.permitted |= bit(CAP_SETPCAP) | bit(CAP_SETUID) | bit(CAP_SETGID);
      first.effective |= bit(CAP_SETPCAP) | bit(CAP_SETUID) | bit(CAP_SETGID);
      if (Status status = security::apply_credentials({}, first, {}); !status) {
        return status.error().message();
      }
      const Status status = security::apply_credentials({}, wanted, {});
      return status ? credentials() : status.error().message();
    });
    CHECK(outcome == expected({}, wanted));
  }
}

TEST_CASE("a capability kept for the filter goes with finish_capabilities") {
  if (!is_root()) {
    return;
  }
  const plan::User user = {.uid = 1000, .gid = 1000, .additional_gids = {}, .umask = 022};
  const plan::Capabilities capabilities = {.bounding = kSome, .effective = bit(CAP_KILL), .permitted = kSome};
  const std::uint64_t also = bit(CAP_SYS_ADMIN);
  CHECK(applied(user, capabilities, also) == expected(user, capabilities, also));
  CHECK(in_child([&] {
          if (Status status = security::apply_credentials(user, capabilities, {.capabilities = also}); !status) {
            return status.error().message();
          }
          if (Status status = security::finish_capabilities(capabilities); !status) {
            return status.error().message();
          }
          return credentials();
        }) == expected(user, capabilities));
}

TEST_CASE("a refused capability is named") {
  if (!is_root()) {
    return;
  }
  const plan::Capabilities narrow = {.bounding = kSome, .effective = kSome, .permitted = kSome};
  const auto after_narrowing = [&](const plan::Capabilities& wanted) {
    return in_child([&] {
      const Status first = security::apply_credentials({}, narrow, {});
      const Status second = security::apply_credentials({}, wanted, {});
      return !first ? first.error().message() : second ? "accepted" : second.error().message();
    });
  };
  // setgroups(2) fails before anything else where CAP_SETGID is gone.
  CHECK(after_narrowing({.bounding = 0}) ==
        "drop CAP_CHOWN from the bounding set: Operation not permitted (it needs CAP_SETPCAP)");
  CHECK(applied({}, {.bounding = kSome, .effective = kSome, .permitted = kSome, .ambient = bit(CAP_KILL)}) ==
        "raise ambient CAP_KILL: Operation not permitted (an ambient capability must be permitted and inheritable "
        "too)");
  CHECK_THAT(applied({}, {.bounding = kSome, .effective = kSome, .permitted = bit(CAP_CHOWN)}),
             Catch::StartsWith("capset(") && Catch::Contains("CAP_KILL"));
}

TEST_CASE("root of an unprivileged user's namespace keeps the groups that it may not drop") {
  const std::string outcome = in_child([] {
    if (!enter_user_namespace()) {
      return std::string("refused");
    }
    const Status status = security::become_namespace_root(false);
    return status ? credentials() : status.error().message();
  });
  if (outcome == "refused") {
    WARN("skipped: the host refuses a user namespace");
    return;
  }
  CHECK_THAT(outcome, Catch::Contains("Uid: 0 0 0 0\nGid: 0 0 0 0\n"));
}

TEST_CASE("ids that a user namespace lacks, and groups that it denies, are told") {
  const auto inside = [](const plan::User& user) {
    return in_child([&] {
      if (!enter_user_namespace()) {
        return std::string("refused");
      }
      const Status status = security::apply_credentials(user, {}, {});
      return status ? credentials() : status.error().message();
    });
  };
  if (inside({}) == "refused") {
    WARN("skipped: the host refuses a user namespace");
    return;
  }
  CHECK_THAT(inside({}), Catch::Contains("CapEff: 0000000000000000"));
  CHECK(inside({.uid = 5, .gid = 0, .additional_gids = {}, .umask = 022}) ==
        "setresuid(5): Invalid argument (this uid is not mapped in the user namespace)");
  CHECK(inside({.uid = 0, .gid = 6, .additional_gids = {}, .umask = 022}) ==
        "setresgid(6): Invalid argument (this gid is not mapped in the user namespace)");
  CHECK(inside({.uid = 0, .gid = 0, .additional_gids = {0}, .umask = 022}) ==
        "setgroups(1 groups): Operation not permitted (the user namespace denies setgroups(2), so "
        "process.user.additionalGids must be empty)");
}
