#include "cli/matching_containers.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace berth;
using namespace berth::cli;

namespace {

using Ids = std::vector<std::string>;

const Ids kIds = {"db", "web-1", "web-2", "web-22", "xweb-1"};

}  // namespace

TEST_CASE("Ids are matched anywhere, by an extended regular expression") {
  CHECK(matching_ids("web", kIds).value() == Ids{"web-1", "web-2", "web-22", "xweb-1"});
  CHECK(matching_ids("^web-(1|2)$", kIds).value() == Ids{"web-1", "web-2"});
  CHECK(matching_ids("2+", kIds).value() == Ids{"web-2", "web-22"});
  CHECK(matching_ids("nobody", kIds).value().empty());
  CHECK(matching_ids(".*", kIds).value() == kIds);
}

TEST_CASE("What is no regular expression is a usage error") {
  for (const char* bad : {"(", "[", "a{2", "*(", ""}) {
    INFO(bad);
    const auto matched = matching_ids(bad, kIds);
    REQUIRE_FALSE(matched.has_value());
    CHECK(matched.error().kind() == ErrorKind::kUsage);
  }
}

TEST_CASE("Every container is tried, and the failures are one error") {
  Ids tried;
  const auto done = act_on_each(kIds, [&](const std::string& id) -> Status {
    tried.push_back(id);
    if (id == "db") {
      return fail(ErrorKind::kNotFound, "deleted meanwhile");
    }
    return id.starts_with("web-2") ? Status(fail(ErrorKind::kState, "container not running")) : Status();
  });
  CHECK(tried == kIds);
  REQUIRE_FALSE(done.has_value());
  CHECK(done.error().kind() == ErrorKind::kState);
  CHECK(done.error().message() ==
        "2 of 5 containers: \"web-2\": container not running; \"web-22\": container not running");
}

TEST_CASE("Nothing to act on is no failure") {
  CHECK(act_on_each({}, [](const std::string&) -> Status { return fail(ErrorKind::kState, "never called"); }));
  CHECK(act_on_each(kIds, [](const std::string&) { return Status(); }));
  CHECK(act_on_each(kIds, [](const std::string&) -> Status { return fail(ErrorKind::kNotFound, "gone"); }));
}

TEST_CASE("A long list of failures is cut") {
  const Ids many(20, "box");
  const auto done =
      act_on_each(many, [](const std::string&) -> Status { return fail(ErrorKind::kState, "container not running"); });
  CHECK(done.error().message().ends_with("\"box\": container not running; and 12 more"));
}
