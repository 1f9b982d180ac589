#include <berth/net/loopback.hpp>

#include <linux/capability.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <net/if.h>

#include "in_child.hpp"

using namespace berth;

namespace {

bool is_up() {
  const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  const bool up = ::ioctl(socket, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) != 0;
  ::close(socket);
  return up;
}

}  // namespace

TEST_CASE("lo of a new network namespace goes up") {
  const std::string outcome = test::in_child([] {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
      return std::string("refused");
    }
    const bool before = is_up();
    for (int attempt = 0; attempt < 2; ++attempt) {
      if (const Status status = net::bring_up_loopback(); !status) {
        return status.error().message();
      }
    }
    return fmt::format("{} then {}", before, is_up());
  });
  if (outcome == "refused") {
    WARN("skipped: the host refuses a user or network namespace");
    return;
  }
  CHECK(outcome == "false then true");
}

TEST_CASE("without the right to, it says what is missing") {
  const std::string outcome = test::in_child([] {
    __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0 || ::syscall(SYS_capset, &header, none) != 0) {
      return std::string("refused");
    }
    const Status status = net::bring_up_loopback();
    return status ? std::string("up") : status.error().message();
  });
  if (outcome == "refused") {
    WARN("skipped: the host refuses a user or network namespace");
    return;
  }
  CHECK(outcome ==
        "set lo up (RTM_NEWLINK): Operation not permitted (it needs CAP_NET_ADMIN in the user namespace that owns the "
        "network namespace)");
}
