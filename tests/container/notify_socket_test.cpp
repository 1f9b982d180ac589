#include "container/notify_socket.hpp"

#include <catch2/catch.hpp>

using namespace berth;
using namespace berth::container;

TEST_CASE("a notification keeps all but the pids of the container") {
  CHECK(notification_of("STATUS=half way", 7) == "STATUS=half way");
  CHECK(notification_of("READY=1", 7) == "READY=1\nMAINPID=7");
  CHECK(notification_of("STATUS=x\nREADY=1\nMAINPID=1\n", 7) == "STATUS=x\nREADY=1\nMAINPID=7");
  CHECK(notification_of("MAINPID=1", 7).empty());
  CHECK(notification_of("READY=10\nNOREADY=1", 7) == "READY=10\nNOREADY=1");
  CHECK(notification_of("BARRIER=1", 7) == "BARRIER=1");
  CHECK(notification_of("", 7).empty());
}

TEST_CASE("the container sees the socket read-only, and is told of it once") {
  plan::ContainerPlan plan;
  plan.process.env = {"A=b", "NOTIFY_SOCKET=/run/systemd/notify"};
  add_notify_socket(plan, "/run/berth/web/notify");
  REQUIRE(plan.rootfs.mounts.size() == 1);
  CHECK(plan.rootfs.mounts.front().destination == "/run/notify");
  CHECK(plan.rootfs.mounts.front().attributes.set != 0);
  CHECK(plan.process.env == std::vector<std::string>{"A=b", "NOTIFY_SOCKET=/run/notify/notify.sock"});
}
