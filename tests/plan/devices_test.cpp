#include <algorithm>
#include <catch2/catch.hpp>

#include "plan/lowered.hpp"

namespace berth::plan {
namespace {

std::string devices(const std::string& list) {
  return "\"devices\": [" + list + "]";
}
std::vector<Device> devices_of(const std::string& list) {
  return plan_of({.linux_block = devices(list)}).rootfs.devices;
}

TEST_CASE("Every container gets the default devices") {
  const std::vector<Device> plan = devices_of("");
  REQUIRE(plan.size() == 6);
  const auto number = [&](const std::string& path) {
    const auto found = std::ranges::find(plan, path, &Device::path);
    REQUIRE(found != plan.end());
    CHECK(found->mode == 0666);
    CHECK(found->type == 'c');
    return std::pair(found->major, found->minor);
  };
  using Number = std::pair<std::uint32_t, std::uint32_t>;
  CHECK(number("/dev/null") == Number{1, 3});
  CHECK(number("/dev/zero") == Number{1, 5});
  CHECK(number("/dev/full") == Number{1, 7});
  CHECK(number("/dev/random") == Number{1, 8});
  CHECK(number("/dev/urandom") == Number{1, 9});
  CHECK(number("/dev/tty") == Number{5, 0});
}

TEST_CASE("Devices of the configuration are added, or replace a default") {
  const std::vector<Device> plan = devices_of(R"(
      {"type": "u", "path": "/dev//fuse/", "major": 10, "minor": 229, "fileMode": 8630, "uid": 1, "gid": 2},
      {"type": "b", "path": "/dev/sda", "major": 4095, "minor": 1048575},
      {"type": "p", "path": "/run/fifo", "fileMode": 384},
      {"type": "c", "path": "/dev/null", "major": 1, "minor": 5, "fileMode": 256},
      {"type": "c", "path": "/dev/ptmx", "major": 5, "minor": 2})");
  REQUIRE(plan.size() == 9);
  CHECK(plan[0].path == "/dev/null");
  CHECK(plan[0].minor == 5);
  CHECK(plan[0].mode == 0400);
  CHECK(plan[6].path == "/dev/fuse");
  CHECK(plan[6].type == 'c');
  CHECK(plan[6].mode == 0666);  // 8630 is 020666: dockerd writes the type's bits too
  CHECK(plan[6].uid == 1);
  CHECK(plan[6].gid == 2);
  CHECK(plan[7].type == 'b');
  CHECK(plan[7].minor == 1048575);
  CHECK(plan[7].mode == 0666);
  CHECK(plan[8].type == 'p');
  CHECK(plan[8].mode == 0600);
}

TEST_CASE("The same device twice at a path is one, another device there is an error") {
  const std::string fuse = R"({"type": "c", "path": "/dev/fuse", "major": 10, "minor": 229})";
  CHECK(devices_of(fuse + ", " + fuse).size() == 7);
  CHECK_THAT(
      error_of({.linux_block = devices(fuse + R"(, {"type": "c", "path": "/dev/fuse/", "major": 10, "minor": 1})")}),
      Catch::StartsWith("/linux/devices/1/path: got \"/dev/fuse\" again"));
}

TEST_CASE("Devices that cannot be are refused") {
  for (const auto& [entry, expected] :
       {std::pair{R"({"type": "c", "path": "dev/a", "major": 1, "minor": 3})", "path: got \"dev/a\""},
        std::pair{R"({"type": "p", "path": "/"})", "path: got \"/\""},
        std::pair{R"({"type": "", "path": "/dev/a"})", "type: got \"\""},
        std::pair{R"({"type": "cb", "path": "/dev/a"})", "type: got \"cb\""},
        std::pair{R"({"type": "c", "path": "/dev/a", "minor": 3})", "major: got nothing"},
        std::pair{R"({"type": "b", "path": "/dev/a", "major": 3})", "minor: got nothing"},
        std::pair{R"({"type": "c", "path": "/dev/a", "major": -1, "minor": 3})", "major: got -1"},
        std::pair{R"({"type": "c", "path": "/dev/a", "major": 4096, "minor": 3})", "major: got 4096"},
        std::pair{R"({"type": "c", "path": "/dev/a", "major": 1, "minor": 1048576})", "minor: got 1048576"},
        std::pair{R"({"type": "p", "path": "/dev/a", "fileMode": 65536})", "fileMode: got 65536"}}) {
    INFO(entry);
    CHECK_THAT(error_of({.linux_block = devices(entry)}),
               Catch::StartsWith("/linux/devices/0/" + std::string(expected)));
  }
  CHECK_THAT(error_of({.linux_block = devices(R"({"type": "p", "path": "/a"})"), .namespaces = R"({"type": "uts"})"}),
             Catch::StartsWith("/linux/devices: got devices, expected a mount namespace"));
}

}  // namespace
}  // namespace berth::plan
