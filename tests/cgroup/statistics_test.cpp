#include "cgroup/statistics.hpp"

#include <catch2/catch.hpp>

using namespace berth;
using namespace berth::cgroup;

TEST_CASE("Pressure is read as the kernel writes it") {
  const auto pressure = parse_pressure(
      "some avg10=0.12 avg60=1.00 avg300=12.34 total=5\nfull avg10=0.01 avg60=0.02 avg300=0.03 total=4\n");
  REQUIRE(pressure.has_value());
  CHECK(pressure->some.avg300 == "12.34");
  CHECK(pressure->some.total == 5);
  CHECK(pressure->full.avg10 == "0.01");
  CHECK(parse_pressure("some avg10=0.12 avg60=1.00 avg300=12.34 total=5\n")->full.avg10 == "0");
  CHECK_FALSE(parse_pressure("").has_value());
  CHECK_FALSE(parse_pressure("nonsense\n").has_value());
}

TEST_CASE("Counters are lines of a name and a number") {
  const spec::Counters counters = parse_counters("low 0\noom_kill 3\nbroken\nfile 18446744073709551615\n");
  CHECK(counters.size() == 3);
  CHECK(counter(counters, "oom_kill") == 3);
  CHECK(counter(counters, "oom") == 0);
}

TEST_CASE("Block io of both versions has one form") {
  const auto legacy = legacy::parse_block_io("8:16 Read 4096\n8:16 Total 5000\n8:0 77\nTotal 5000\n");
  REQUIRE(legacy.size() == 3);
  CHECK(legacy[0].major == 8);
  CHECK(legacy[0].minor == 16);
  CHECK(legacy[0].operation == "Read");
  CHECK(legacy[0].value == 4096);
  CHECK(legacy[2].operation.empty());
  CHECK(legacy[2].value == 77);
  const auto unified = unified::parse_io_stat("8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n8:16 \n");
  REQUIRE(unified.lists.size() == 2);
  CHECK(unified.lists[0].first == "ioServiceBytesRecursive");
  CHECK(unified.lists[0].second.size() == 2);
  CHECK(unified.lists[1].second[1].operation == "Write");
  CHECK(unified.lists[1].second[1].value == 4);
}

TEST_CASE("Events are lines in runc's shape") {
  CHECK(spec::oom_event_json("web") == R"({"type":"oom","id":"web"})");
  const std::string empty = spec::stats_event_json("web", {});
  CHECK(empty.starts_with(
      R"({"type":"stats","id":"web","data":{"cpu":{"usage":{"kernel":0,"user":0},"throttling":{}},)"));
  CHECK(empty.ends_with(R"("pids":{},"blkio":{},"hugetlb":{},"intel_rdt":{},"network_interfaces":null}})"));
  CHECK(empty.find(R"("usage":{"limit":0,"failcnt":0})") != std::string::npos);
}
