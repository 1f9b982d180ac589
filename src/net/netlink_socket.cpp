#include "net/netlink_socket.hpp"

#include <berth/sys/file.hpp>
#include <berth/sys/process.hpp>

#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace berth::net {
namespace {

constexpr std::size_t kDumpSize = std::size_t{32} * 1024;   // what the kernel fills at most for one read of a dump
constexpr std::size_t kAnswerSize = std::size_t{4} * 1024;  // an acknowledgement, which may hold the request

int hand_on(const nlmsghdr* message, void* data) {
  const auto& each = *static_cast<const std::function<void(const nlmsghdr&)>*>(data);
  if (each) {
    each(*message);
  }
  return MNL_CB_OK;
}

}  // namespace

Request::Request(unsigned type, unsigned flags) : buffer_(1024 / sizeof(nlmsghdr)) {
  nlmsghdr* const header = ::mnl_nlmsg_put_header(buffer_.data());
  header->nlmsg_type = static_cast<__u16>(type);
  header->nlmsg_flags = static_cast<__u16>(NLM_F_REQUEST | NLM_F_ACK | flags);
}

Result<NetlinkSocket> NetlinkSocket::open() {
  // The kernel answers within the call that sends, so that a read that would block is an error.
  mnl_socket* const socket = ::mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (socket == nullptr) {
    return sys_fail(errno, "socket(AF_NETLINK, NETLINK_ROUTE)");
  }
  return NetlinkSocket(socket);
}

Result<NetlinkSocket> NetlinkSocket::open_in(int network_namespace) {
  const sys::UniqueFd own = TRY(sys::open_at(AT_FDCWD, "/proc/self/ns/net", O_RDONLY));
  TRY(sys::set_namespace(network_namespace, CLONE_NEWNET, "the container's network namespace"));
  auto socket = open();
  TRY(sys::set_namespace(own.get(), CLONE_NEWNET, "the caller's network namespace"));
  return socket;
}

Status NetlinkSocket::exchange(Request& request, std::string_view what,
                               const std::function<void(const nlmsghdr& message)>& each) {
  constexpr unsigned kSequence = 1;
  constexpr unsigned kAnyPort = 0;
  nlmsghdr* const message = request.message();
  message->nlmsg_seq = kSequence;
  if (::mnl_socket_sendto(socket_.get(), message, message->nlmsg_len) < 0) {
    return sys_fail(errno, "{}: send", what);
  }
  std::vector<char> buffer(each ? kDumpSize : kAnswerSize);
  for (;;) {
    const ssize_t length = ::mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
    if (length < 0) {
      return sys_fail(errno, "{}: receive the answer", what);
    }
    void* const data = const_cast<std::function<void(const nlmsghdr&)>*>(&each);
    const int result =
        ::mnl_cb_run(buffer.data(), static_cast<std::size_t>(length), kSequence, kAnyPort, hand_on, data);
    if (result == MNL_CB_STOP) {
      return {};  // the acknowledgement, or the end of a dump
    }
    if (result < 0) {
      Error error = Error::system(errno, std::string(what));
      if (error.is(EPERM)) {
        error.add_hint("it needs CAP_NET_ADMIN in the user namespace that owns the network namespace");
      }
      return std::unexpected(std::move(error));
    }
  }
}

}  // namespace berth::net
