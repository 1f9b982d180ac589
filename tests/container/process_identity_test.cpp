#include "container/process_identity.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>

using namespace berth::container;

namespace {

std::string stat_line(const std::string& name) {
  return "42 (" + name + ") S 1 42 42 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 1 0 777 1000 10 18446744073709551615\n";
}

}  // namespace

TEST_CASE("a process may have any name") {
  for (const std::string name : {"sh", "a b", ") R 1 (", "((", "x\ny"}) {
    const auto stat = parse_stat(stat_line(name));
    REQUIRE(stat.has_value());
    CHECK(stat->state == 'S');
    CHECK(stat->start_time == 777);
  }
}

TEST_CASE("another form is not read") {
  CHECK_FALSE(parse_stat("").has_value());
  CHECK_FALSE(parse_stat("42 (sh) S 1 2").has_value());
  CHECK_FALSE(parse_stat("42 sh S 1").has_value());
  CHECK_FALSE(parse_stat("1 (a) S 1 1 1 0 -1 1 1 0 0 0 1 2 0 0 20 0 1 0 x 1\n").has_value());
}

TEST_CASE("a process is found by number, start time and boot") {
  berth::spec::Record record;
  record.pid = ::getpid();
  record.start_time = start_time_of(::getpid()).value();
  record.boot_id = boot_id().value();
  CHECK(find_process(record).value().has_value());

  berth::spec::Record reused = record;
  reused.start_time += 1;
  CHECK_FALSE(find_process(reused).value().has_value());

  berth::spec::Record rebooted = record;
  rebooted.boot_id = "00000000-0000-0000-0000-000000000000";
  CHECK_FALSE(find_process(rebooted).value().has_value());

  berth::spec::Record unknown = record;
  unknown.pid = 0;
  CHECK_FALSE(find_process(unknown).value().has_value());
}
