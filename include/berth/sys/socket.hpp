// Unix sockets that keep message borders and carry descriptors.
#pragma once

#include <berth/base/error.hpp>
#include <berth/sys/unique_fd.hpp>

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace berth::sys {

struct SocketPair {
  UniqueFd first;
  UniqueFd second;
  /// socketpair(AF_UNIX, SOCK_SEQPACKET).
  static Result<SocketPair> create();
};

struct ReceivedMessage {
  std::string data;  ///< empty at the end of the stream
  std::vector<UniqueFd> fds;
};

/// One sendmsg(2) with these descriptors attached (at most 16); SIGPIPE is never raised.
Status send_message(int socket, std::string_view data, std::span<const int> fds, std::string_view name);
/// One recvmsg(2) of at most `limit` bytes; a longer message is an error (EMSGSIZE), never cut short.
Result<ReceivedMessage> receive_message(int socket, std::size_t limit, std::string_view name);

/// A SOCK_SEQPACKET socket that listens at `name` in the directory, mode 0600. Goes through /proc/self/fd because
/// sun_path holds 108 bytes only; for directories of the host.
Result<UniqueFd> listen_at(int directory, const std::string& name);
/// Connects to such a socket.
Result<UniqueFd> connect_at(int directory, const std::string& name);
/// Connects a SOCK_STREAM socket to a path of the host. This and each send wait for a second at most.
Result<UniqueFd> connect_stream(const std::string& path);
/// Gives a descriptor away: connects a SOCK_STREAM socket to a path of the host (--console-socket), says `data` with it
/// in one message, and closes the connection. Bounded by a second for each.
Status send_to(const std::string& path, std::string_view data, int fd);
/// A SOCK_DGRAM socket bound at `name` in the directory, with this mode.
Result<UniqueFd> bind_datagram_at(int directory, const std::string& name, mode_t mode);
/// A SOCK_DGRAM socket connected to a path of the host, or with an @ in front to an abstract address ($NOTIFY_SOCKET).
Result<UniqueFd> connect_datagram(const std::string& address);
/// accept4(2).
Result<UniqueFd> accept_connection(int socket);

}  // namespace berth::sys
