#include <berth/net/loopback.hpp>

#include <linux/if.h>
#include <linux/rtnetlink.h>

#include "net/netlink_socket.hpp"

namespace berth::net {

Status bring_up_loopback() {
  // lo is the first device of each network namespace.
  constexpr int kLoopbackIndex = 1;
  NetlinkSocket socket = TRY(NetlinkSocket::open());
  Request request(RTM_NEWLINK, 0);
  auto& link = request.header<ifinfomsg>();
  link.ifi_index = kLoopbackIndex;
  link.ifi_change = IFF_UP;
  link.ifi_flags = IFF_UP;
  return socket.exchange(request, "set lo up (RTM_NEWLINK)");
}

}  // namespace berth::net
