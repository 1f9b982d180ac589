#include <berth/rdt/resctrl.hpp>

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <fstream>
#include <iterator>

#include "temporary_tree.hpp"

using namespace berth;
using namespace berth::rdt;

// A tree of plain files stands in for the kernel's: this test needs no processor with RDT.
namespace {

plan::IntelRdt wanted(std::string clos_id, std::string schemas = "", std::string schemata = "",
                      bool monitoring = false) {
  return {.clos_id = std::move(clos_id),
          .schemas = std::move(schemas),
          .schemata = std::move(schemata),
          .enable_monitoring = monitoring};
}

std::string root_of(const test::TemporaryTree& tree) {
  return tree.at("x").parent_path().string();
}

std::string content(const test::TemporaryTree& tree, const std::string& path) {
  std::ifstream stream(tree.at(path));
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::string error_of(const std::string& root, const plan::IntelRdt& plan) {
  const auto groups = find_below(root, plan, "web");
  return groups ? "" : groups.error().message();
}

}  // namespace

TEST_CASE("The mount is found by its type") {
  CHECK(mount_point("").empty());
  CHECK(mount_point("25 1 0:23 / /sys/fs/resctrl rw - tmpfs resctrl rw\n").empty());
  CHECK(mount_point(
            "24 1 0:22 / /sys rw - sysfs sysfs rw\n25 24 0:23 / /sys/fs/resctrl rw,relatime shared:9 - resctrl resctrl "
            "rw\n") == "/sys/fs/resctrl");
}

TEST_CASE("Without closID the container has a class of its own, which goes with it") {
  test::TemporaryTree tree;
  const plan::IntelRdt plan = wanted("", "L3:0=f\nMB:0=20", "L2:0=3");
  const Groups groups = find_below(root_of(tree), plan, "web").value();
  CHECK(groups.control == root_of(tree) + "/web");
  CHECK(groups.made() == std::vector<std::string>{root_of(tree) + "/web"});
  CHECK(groups.owned() == groups.made());
  REQUIRE(make(groups, plan).has_value());
  CHECK(content(tree, "web/schemata") == "L2:0=3\n");  // the last write
  CHECK(make(groups, plan).error().is(EEXIST));
  CHECK_THAT(error_of(root_of(tree), plan), Catch::EndsWith("/web exists already"));
}

TEST_CASE("Both schemas are one write") {
  test::TemporaryTree tree;
  const plan::IntelRdt plan = wanted("", "L3:0=f\nMB:0=20");
  const Groups groups = find_below(root_of(tree), plan, "web").value();
  REQUIRE(make(groups, plan).has_value());
  CHECK(content(tree, "web/schemata") == "L3:0=f\nMB:0=20\n");
}

TEST_CASE("Nothing is written where nothing is said") {
  test::TemporaryTree tree;
  const Groups groups = find_below(root_of(tree), wanted(""), "web").value();
  REQUIRE(make(groups, wanted("")).has_value());
  CHECK_FALSE(tree.exists("web/schemata"));
  REQUIRE(remove(groups.owned()).has_value());
  CHECK_FALSE(tree.exists("web"));
  CHECK(remove(groups.owned()).has_value());
}

TEST_CASE("A class that exists must be as the configuration says") {
  test::TemporaryTree tree;
  tree.directory("gold");
  tree.file("gold/schemata", "    L3:0=0f;1=0f\n");
  tree.file("gold/tasks", "");
  CHECK_THAT(error_of(root_of(tree), wanted("gold", "L3:0=ff")),
             Catch::StartsWith("/linux/intelRdt: \"L3:0=ff\" is not what"));
  const plan::IntelRdt plan = wanted("gold", "L3:0=f");
  const Groups groups = find_below(root_of(tree), plan, "web").value();
  CHECK(groups.made().empty());
  REQUIRE(make(groups, plan).has_value());
  CHECK(content(tree, "gold/schemata") == "    L3:0=0f;1=0f\n");
  REQUIRE(add(groups, 4711).has_value());
  CHECK(content(tree, "gold/tasks") == "4711");
}

TEST_CASE("A class that is named alone must exist; one with schemas is made, and stays") {
  test::TemporaryTree tree;
  CHECK_THAT(error_of(root_of(tree), wanted("gold")), Catch::StartsWith("/linux/intelRdt/closID: got \"gold\" alone"));
  const Groups groups = find_below(root_of(tree), wanted("gold", "L3:0=f"), "web").value();
  CHECK(groups.made() == std::vector<std::string>{root_of(tree) + "/gold"});
  CHECK(groups.owned().empty());
}

TEST_CASE("Monitoring is a group of the container inside its class") {
  test::TemporaryTree tree;
  tree.directory("mon_groups");
  tree.file("tasks", "");
  const plan::IntelRdt plan = wanted("/", "", "", true);
  const Groups groups = find_below(root_of(tree), plan, "web").value();
  CHECK(groups.control == root_of(tree));
  CHECK(groups.owned() == std::vector<std::string>{root_of(tree) + "/mon_groups/web"});
  REQUIRE(make(groups, plan).has_value());
  tree.file("mon_groups/web/tasks", "");
  REQUIRE(add(groups, 4711).has_value());
  CHECK(content(tree, "mon_groups/web/tasks") == "4711");
  CHECK(content(tree, "tasks") == "4711");
  CHECK(find_below(root_of(tree), wanted("", "", "", true), "web").value().made() ==
        std::vector<std::string>{root_of(tree) + "/web/mon_groups/web", root_of(tree) + "/web"});
}

namespace {

Result<std::vector<pid_t>> only_this_process() {
  return std::vector<pid_t>{::getpid()};
}

Status refused() {
  return fail(ErrorKind::kSystem, "refused");
}

std::string change_error(const Groups& groups, const std::string& lines, const std::function<Status()>& rest) {
  const Status changed = change(groups, lines, only_this_process, rest);
  return changed ? "" : changed.error().message();
}

}  // namespace

TEST_CASE("New shares are taken back when the rest of a change fails") {
  test::TemporaryTree tree;
  tree.directory("web");
  tree.file("web/schemata", "    L3:0=0f\n");
  const Groups groups = groups_to_change_below(root_of(tree), wanted(""), "web").value();
  CHECK_FALSE(groups.makes_control);
  CHECK(change_error(groups, "L3:0=ff", refused) == "refused");
  CHECK(content(tree, "web/schemata") == "    L3:0=0f\n");
  CHECK(change_error(groups, "L3:0=ff", [] { return Status(); }).empty());
  CHECK(content(tree, "web/schemata") == "L3:0=ff\n");
}

TEST_CASE("A container without a class gets one for its shares, with all its processes") {
  test::TemporaryTree tree;
  const Groups groups = groups_to_change_below(root_of(tree), wanted("", "", "", true), "web").value();
  CHECK(groups.made() == std::vector<std::string>{root_of(tree) + "/web"});
  // The kernel makes the files of a group with its directory, which nothing does here: so there is no `tasks`.
  CHECK_THAT(change_error(groups, "L3:0=ff", [] { return Status(); }), Catch::Contains("web/tasks"));
  CHECK(content(tree, "web/schemata") == "L3:0=ff\n");  // and what is no group of the kernel's cannot be removed

  test::TemporaryTree other;
  const Groups made = groups_to_change_below(root_of(other), wanted(""), "web").value();
  const auto with_tasks = [&]() -> Result<std::vector<pid_t>> {
    if (!other.exists("web/tasks")) {
      other.file("web/tasks", "");
    }
    return only_this_process();
  };
  REQUIRE(change(made, "L3:0=ff", with_tasks, [] { return Status(); }).has_value());
  CHECK(content(other, "web/tasks") == std::to_string(::getpid()));
  CHECK(content(other, "web/schemata") == "L3:0=ff\n");
}

TEST_CASE("A class that somebody else makes meanwhile stays") {
  test::TemporaryTree tree;
  const Groups groups = groups_to_change_below(root_of(tree), wanted(""), "web").value();
  tree.directory("web");
  CHECK_THAT(change_error(groups, "L3:0=ff", [] { return Status(); }), Catch::Contains("File exists"));
  CHECK(tree.exists("web"));
}

TEST_CASE("Only a class of the container's own is made for a change") {
  test::TemporaryTree tree;
  tree.directory("gold");
  CHECK_FALSE(groups_to_change_below(root_of(tree), wanted("gold"), "web").value().makes_control);
  CHECK_FALSE(groups_to_change_below(root_of(tree), wanted("lead"), "web").value().makes_control);
  CHECK_THAT(change_error(groups_to_change_below(root_of(tree), wanted("lead"), "web").value(), "L3:0=f", refused),
             Catch::Contains("lead/schemata"));
  CHECK_FALSE(groups_to_change_below(root_of(tree), wanted("/"), "web").value().makes_control);
}

TEST_CASE("The kernel's reason is told") {
  test::TemporaryTree tree;
  tree.file("info/last_cmd_status", "Invalid mask\n");
  tree.link("gold/schemata", "/dev/full");
  const plan::IntelRdt plan = wanted("gold", "", "L3:0=0");
  const Groups groups = find_below(root_of(tree), plan, "web").value();
  CHECK_THAT(make(groups, plan).error().message(), Catch::EndsWith("(Invalid mask)"));
}
