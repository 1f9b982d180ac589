#include "cli/output.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace berth;
using namespace berth::cli;

TEST_CASE("the table of list lines up") {
  const std::vector<spec::State> states = {{.id = "a",
                                            .status = spec::ContainerStatus::kRunning,
                                            .pid = 12345,
                                            .bundle = "/b",
                                            .rootfs = "/b/r",
                                            .created = "now",
                                            .annotations = {},
                                            .owner = "root"}};
  CHECK(list_table(states) ==
        "ID    PID      STATUS     BUNDLE    CREATED    OWNER\n"
        "a     12345    running    /b        now        root\n");
  CHECK(list_table({}).find("ID") == 0);
}

TEST_CASE("the columns of a list stand below each other, also where a letter has more than one byte") {
  std::vector<spec::State> states(2);
  states[0].bundle = "/f\xc3\xbcr";
  states[1].bundle = "/for";
  for (spec::State& state : states) {
    state.id = "a";
    state.status = spec::ContainerStatus::kStopped;
    state.created = "now";
    state.owner = "root";
  }
  CHECK(list_table(states) ==
        "ID    PID    STATUS     BUNDLE    CREATED    OWNER\n"
        "a     0      stopped    /f\xc3\xbcr      now        root\n"
        "a     0      stopped    /for      now        root\n");
}

TEST_CASE("pids are a JSON array") {
  CHECK(pid_array(std::vector<pid_t>{1, 22}) == "[1,22]\n");
  CHECK(pid_array({}) == "[]\n");
}

TEST_CASE("the table of ps keeps the container's processes") {
  const std::vector<pid_t> pids = {2, 30};
  CHECK(filter_process_table("UID  PID CMD\nroot   1 init\nroot   2 sh\nroot  30 x 1\n", pids).value() ==
        "UID  PID CMD\nroot   2 sh\nroot  30 x 1\n");
  CHECK(filter_process_table("PID\n2", pids).value() == "PID\n2\n");
  CHECK_FALSE(filter_process_table("CMD\nsh\n", pids).has_value());
}
