#include <berth/net/loopback.hpp>

#include <linux/if.h>
#include <linux/rtnetlink.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <libmnl/libmnl.h>
#include <memory>

namespace berth::net {
namespace {

struct CloseSocket {
  void operator()(mnl_socket* socket) const { ::mnl_socket_close(socket); }
};

}  // namespace

Status bring_up_loopback() {
  // lo is the first device of each network namespace.
  constexpr int kLoopbackIndex = 1;
  constexpr unsigned kSequence = 1;
  // The kernel answers within the call that sends, so that a read that would block is an error.
  const std::unique_ptr<mnl_socket, CloseSocket> socket(
      ::mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) {
    return sys_fail(errno, "socket(AF_NETLINK, NETLINK_ROUTE)");
  }
  // Holds the request and then the answer, which repeats the request.
  alignas(nlmsghdr) std::array<char, 1024> buffer{};
  nlmsghdr* const header = ::mnl_nlmsg_put_header(buffer.data());
  header->nlmsg_type = RTM_NEWLINK;
  header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  header->nlmsg_seq = kSequence;
  auto* const link = static_cast<ifinfomsg*>(::mnl_nlmsg_put_extra_header(header, sizeof(ifinfomsg)));
  link->ifi_family = AF_UNSPEC;
  link->ifi_index = kLoopbackIndex;
  link->ifi_change = IFF_UP;
  link->ifi_flags = IFF_UP;
  if (::mnl_socket_sendto(socket.get(), header, header->nlmsg_len) < 0) {
    return sys_fail(errno, "send RTM_NEWLINK for lo");
  }
  const ssize_t length = ::mnl_socket_recvfrom(socket.get(), buffer.data(), buffer.size());
  if (length < 0) {
    return sys_fail(errno, "receive the answer to RTM_NEWLINK for lo");
  }
  constexpr unsigned kAnyPort = 0;
  if (::mnl_cb_run(buffer.data(), static_cast<std::size_t>(length), kSequence, kAnyPort, nullptr, nullptr) < 0) {
    Error error = Error::system(errno, "set lo up (RTM_NEWLINK)");
    if (error.is(EPERM)) {
      error.add_hint("it needs CAP_NET_ADMIN in the user namespace that owns the network namespace");
    }
    return std::unexpected(std::move(error));
  }
  return {};
}

}  // namespace berth::net
