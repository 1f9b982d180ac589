#include "container/exec_flags.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace berth;
using namespace berth::container;

namespace {

spec::Process base() {
  spec::Process process;
  process.args = {"sh"};
  process.cwd = "/";
  process.env = {"PATH=/bin", "TERM=xterm", "TERMINAL=1"};
  process.user.uid = 5;
  process.user.gid = 6;
  return process;
}

Result<std::string> apply_user(const std::string& user, spec::Process& process) {
  ProcessFlags flags;
  flags.user = user;
  return apply_flags(flags, process);
}

Result<std::string> apply_environment(const std::vector<std::string>& environment, spec::Process& process) {
  ProcessFlags flags;
  flags.env = environment;
  return apply_flags(flags, process);
}

}  // namespace

TEST_CASE("a user is a uid, a uid with a gid, or a name") {
  struct Case {
    const char* text;
    std::uint32_t uid;
    std::uint32_t gid;
    const char* name;
  };
  for (const Case& expected :
       {Case{"7", 7, 6, ""}, Case{"0", 0, 6, ""}, Case{"7:8", 7, 8, ""}, Case{"4294967294", 4294967294U, 6, ""},
        Case{"alice", 5, 6, "alice"}, Case{"_a.b-c9", 5, 6, "_a.b-c9"}}) {
    spec::Process process = base();
    const auto name = apply_user(expected.text, process);
    CAPTURE(expected.text);
    REQUIRE(name.has_value());
    CHECK(*name == expected.name);
    CHECK(process.user.uid == expected.uid);
    CHECK(process.user.gid == expected.gid);
  }
}

TEST_CASE("what is no user is refused, and never root") {
  for (const char* text : {":", ":1", "1:", "-1", "+1", " 1", "1 ", "0x1", "1:2:3", "1:-1", "1:x", "4294967295",
                           "4294967296", "18446744073709551616", "alice:5", "a b", "1a"}) {
    spec::Process process = base();
    CAPTURE(text);
    const auto name = apply_user(text, process);
    REQUIRE_FALSE(name.has_value());
    CHECK(name.error().kind() == ErrorKind::kUsage);
  }
}

TEST_CASE("variables replace those of their name") {
  spec::Process process = base();
  REQUIRE(apply_environment({"TERM=dumb", "NEW=a=b", "EMPTY="}, process).has_value());
  CHECK(process.env == std::vector<std::string>{"PATH=/bin", "TERM=dumb", "TERMINAL=1", "NEW=a=b", "EMPTY="});
  CHECK_FALSE(apply_environment({"NONE"}, process).has_value());
  CHECK_FALSE(apply_environment({"=x"}, process).has_value());
}

TEST_CASE("capabilities are added to bounding, effective and permitted only") {
  spec::Process process = base();
  ProcessFlags flags;
  flags.capabilities = {"CAP_KILL", "net_raw", "cap_kill"};
  REQUIRE(apply_flags(flags, process).has_value());
  const std::vector<std::string> expected = {"CAP_KILL", "CAP_NET_RAW"};
  CHECK(process.capabilities->bounding == expected);
  CHECK(process.capabilities->effective == expected);
  CHECK(process.capabilities->permitted == expected);
  CHECK(process.capabilities->inheritable.empty());
  CHECK(process.capabilities->ambient.empty());
}

TEST_CASE("flags that are not given change nothing") {
  spec::Process process = base();
  process.terminal = true;
  process.no_new_privileges = true;
  process.apparmor_profile = "p";
  REQUIRE(apply_flags({}, process).has_value());
  CHECK(process.terminal);
  CHECK(process.no_new_privileges);
  CHECK(process.apparmor_profile == "p");
  CHECK(process.args == std::vector<std::string>{"sh"});
  CHECK(process.env == base().env);
}
