// NETLINK_ROUTE: requests and answers, with the kernel's errors told.
#pragma once

#include <berth/base/error.hpp>

#include <functional>
#include <libmnl/libmnl.h>
#include <memory>
#include <string_view>
#include <vector>

namespace berth::net {

/// A request under construction; attributes are put with mnl_attr_put*().
class Request {
 public:
  /// `type` is RTM_*, `flags` NLM_F_* besides REQUEST and ACK.
  Request(unsigned type, unsigned flags);
  /// The header after nlmsghdr: ifinfomsg, ifaddrmsg. Once, and before the attributes.
  template <class Header>
  Header& header() {
    return *static_cast<Header*>(::mnl_nlmsg_put_extra_header(message(), sizeof(Header)));
  }
  [[nodiscard]] nlmsghdr* message() { return reinterpret_cast<nlmsghdr*>(buffer_.data()); }

 private:
  // In units that align a header. No request here comes near the size.
  std::vector<nlmsghdr> buffer_;
};

class NetlinkSocket {
 public:
  /// In the caller's network namespace.
  static Result<NetlinkSocket> open();
  /// In another one, which the caller is in for that moment. It stays there, and holds it.
  static Result<NetlinkSocket> open_in(int network_namespace);

  /// Sends and reads up to the acknowledgement. `each` gets every message of the answer before that. An error of the
  /// kernel has the text `what`.
  Status exchange(Request& request, std::string_view what,
                  const std::function<void(const nlmsghdr& message)>& each = {});

 private:
  struct Close {
    void operator()(mnl_socket* socket) const { ::mnl_socket_close(socket); }
  };
  explicit NetlinkSocket(mnl_socket* socket) : socket_(socket) {}
  std::unique_ptr<mnl_socket, Close> socket_;
};

}  // namespace berth::net
