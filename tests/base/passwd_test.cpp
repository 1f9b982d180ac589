#include <berth/base/passwd.hpp>

#include <catch2/catch.hpp>

using namespace berth;

namespace {

constexpr const char* kPasswd =
    "root:x:0:0:root:/root:/bin/sh\n"
    "1000:x:0:0::/evil:/bin/sh\n"
    "broken:x:0x7:7::/:\n"
    ":x:8:8::/:\n"
    "alice:x:1000:56::/home/alice:/bin/sh";

}  // namespace

TEST_CASE("users of a passwd file are found by name and by uid") {
  const auto alice = find_user_by_name(kPasswd, "alice");
  REQUIRE(alice.has_value());
  CHECK(alice->uid == 1000);
  CHECK(alice->gid == 56);
  CHECK(alice->home == "/home/alice");
  CHECK(find_user_by_id(kPasswd, 1000)->name == "alice");
  CHECK(find_user_by_id(kPasswd, 0)->name == "root");
}

TEST_CASE("lines that are no users are passed over") {
  CHECK_FALSE(find_user_by_name(kPasswd, "broken").has_value());
  CHECK_FALSE(find_user_by_name(kPasswd, "").has_value());
  CHECK_FALSE(find_user_by_name("", "root").has_value());
  CHECK_FALSE(find_user_by_id(kPasswd, 7).has_value());
  CHECK_FALSE(find_user_by_id(kPasswd, 8).has_value());
}
