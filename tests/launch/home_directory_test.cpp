#include "launch/home_directory.hpp"

#include <catch2/catch.hpp>

using berth::launch::home_in_passwd;

TEST_CASE("a home directory is that of the uid, not of a name that looks like it") {
  // CVE-2016-3697: an entry may be *named* 1000.
  const char* passwd = "root:x:0:0:root:/root:/bin/sh\n1000:x:0:0::/evil:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh";
  CHECK(home_in_passwd(passwd, 0) == "/root");
  CHECK(home_in_passwd(passwd, 1000) == "/home/user");
  CHECK(home_in_passwd(passwd, 5) == "/");
}

TEST_CASE("broken lines are passed over") {
  CHECK(home_in_passwd("", 0) == "/");
  CHECK(home_in_passwd(":::::\nx\n::0:0:::\nr:x:0x0:0::/a:\nr:x:0:0::/b:", 0) == "/b");
  CHECK(home_in_passwd("r:x:0:0::relative:", 0) == "/");
}
