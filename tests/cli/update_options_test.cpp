#include "cli/update_options.hpp"

#include <catch2/catch.hpp>

#include "cli/amounts.hpp"

using namespace berth;
using namespace berth::cli;

TEST_CASE("Sizes are read as engines write them") {
  const std::pair<const char*, std::int64_t> table[] = {{"0", 0},
                                                        {"-1", -1},
                                                        {"1024", 1024},
                                                        {"5b", 5},
                                                        {"64k", 65536},
                                                        {"64K", 65536},
                                                        {"1m", 1048576},
                                                        {"1MB", 1048576},
                                                        {"1MiB", 1048576},
                                                        {"1.5g", 1610612736},
                                                        {"2 GB", 2147483648},
                                                        {"0.25k", 256},
                                                        {"1t", 1099511627776},
                                                        {"7p", 7881299347898368}};
  for (const auto& [text, bytes] : table) {
    CAPTURE(text);
    CHECK(parse_bytes(text).value() == bytes);
  }
  for (const char* text : {"", "-2", "x", "1x", "1bb", "1mm", "m", "1e3", "0x10", "1.2.3", "9000p", "1 m b", "inf"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_bytes(text).has_value());
  }
}

TEST_CASE("Each option of update sets its limit") {
  UpdateOptions options;
  for (std::size_t index = 0; index < kLimitOptionCount; ++index) {
    const std::string_view name = kLimitOptions.at(index).name;
    if (name == "--memory-swap") {
      options.limits.at(index) = "2k";
    } else if (name == "--cpu-quota") {
      options.limits.at(index) = "-1";
    } else if (name == "--cpuset-cpus") {
      options.limits.at(index) = "0-3";
    } else if (name == "--l3-cache-schema") {
      options.limits.at(index) = "L3:0=f";
    } else if (name == "--mem-bw-schema") {
      options.limits.at(index) = "MB:0=50";
    }
  }
  const UpdateDocument update = read_update(options).value();
  CHECK(update.intel_rdt.l3_cache_schema == "L3:0=f");
  CHECK(update.intel_rdt.memory_bandwidth_schema == "MB:0=50");
  CHECK(update.oci_version == "1.3.0");
  const spec::Resources& resources = update.resources;
  CHECK(resources.memory.swap == 2048);
  CHECK(resources.cpu.quota == -1);
  CHECK(resources.cpu.cpus == "0-3");
  CHECK_FALSE(resources.memory.limit.has_value());
  CHECK_FALSE(resources.pids.limit.has_value());
}

TEST_CASE("Durations are read as Go programs write them") {
  const std::pair<const char*, int> table[] = {{"5s", 5000},      {"300ms", 300}, {"1m30s", 90000},
                                               {"1.5h", 5400000}, {"0.25s", 250}, {"1m0s", 60000}};
  for (const auto& [text, milliseconds] : table) {
    CAPTURE(text);
    CHECK(parse_duration(text).value().count() == milliseconds);
  }
  for (const char* text :
       {"", "0", "0s", "5", "s", "-1s", "1y", "1s2", "0.1ms", "99999999999999999999h", "9999999999999999h"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_duration(text).has_value());
  }
}
