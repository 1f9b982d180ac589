#include <catch2/catch.hpp>

#include "plan/lowered.hpp"

namespace berth::plan {
namespace {

IntelRdt plan_with(const std::string& members) {
  return plan_of({.linux_block = "\"intelRdt\": {" + members + "}"}).intel_rdt.value();
}

TEST_CASE("The two schemas become lines") {
  CHECK_FALSE(plan_of({}).intel_rdt.has_value());
  CHECK(plan_with("").schemas.empty());
  CHECK(plan_with(R"("l3CacheSchema": "L3:0=f")").schemas == "L3:0=f");
  CHECK(plan_with(R"("memBwSchema": "MB:0=20")").schemas == "MB:0=20");
  CHECK(plan_with(R"("l3CacheSchema": "L3:0=f\nMB:0=1\n", "memBwSchema": "MB:0=20")").schemas == "L3:0=f\nMB:0=20");
  CHECK(plan_with(R"("l3CacheSchema": "L3:0=f\nMB:0=1")").schemas == "L3:0=f\nMB:0=1");
  const IntelRdt plan = plan_with(R"("closID": "/", "schemata": ["L3:0=f", "L2:0=3"], "enableMonitoring": true)");
  CHECK(plan.schemata == "L3:0=f\nL2:0=3");
  CHECK(plan.clos_id == "/");
  CHECK(plan.enable_monitoring);
}

TEST_CASE("Classes and schemas that cannot be are refused") {
  for (const auto& [members, expected] :
       {std::pair{R"("closID": "a/b")", "closID: got \"a/b\""}, std::pair{R"("closID": "..")", "closID: got \"..\""},
        std::pair{R"("closID": "info")", "closID: got \"info\""},
        std::pair{R"("memBwSchema": "L3:0=f")", "memBwSchema: got \"L3:0=f\""},
        std::pair{R"("memBwSchema": "MB:0=1\nL3:0=f")", "memBwSchema: got"},
        std::pair{R"("schemata": ["L3:0=f", "a\nb"])", "schemata/1: got"}}) {
    INFO(members);
    CHECK_THAT(error_of({.linux_block = "\"intelRdt\": {" + std::string(members) + "}"}),
               Catch::StartsWith("/linux/intelRdt/" + std::string(expected)));
  }
}

}  // namespace
}  // namespace berth::plan
