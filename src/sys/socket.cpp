#include <berth/sys/socket.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace berth::sys {
namespace {

constexpr std::size_t kMaxFds = 16;

Result<sockaddr_un> socket_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return sys_fail(ENAMETOOLONG, "socket address {}: at most {} bytes fit", path, sizeof address.sun_path - 1);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Result<UniqueFd> unix_socket(int type) {
  const int fd = ::socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return sys_fail(errno, "socket(AF_UNIX)");
  }
  return UniqueFd(fd);
}

Result<UniqueFd> connect_to(int type, const std::string& path, std::string_view name) {
  const sockaddr_un address = TRY(socket_address(path));
  UniqueFd fd = TRY(unix_socket(type));
  // A peer that is stopped accepts nobody, and with a full queue connect(2) would wait for it.
  constexpr timeval kConnectTimeout{.tv_sec = 1, .tv_usec = 0};
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kConnectTimeout, sizeof kConnectTimeout) < 0) {
    return sys_fail(errno, "setsockopt(SO_SNDTIMEO)");
  }
  int result = 0;
  do {
    result = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  } while (result < 0 && errno == EINTR);
  if (result < 0) {
    return sys_fail(errno, "connect({})", name);
  }
  return fd;
}

}  // namespace

Result<SocketPair> SocketPair::create() {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds.data()) < 0) {
    return sys_fail(errno, "socketpair");
  }
  return SocketPair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Status send_message(int socket, std::string_view data, std::span<const int> fds, std::string_view name) {
  if (fds.size() > kMaxFds) {
    return sys_fail(EINVAL, "sendmsg({}): {} descriptors", name, fds.size());
  }
  iovec buffer{.iov_base = const_cast<char*>(data.data()), .iov_len = data.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxFds)> control{};
  msghdr message{};
  message.msg_iov = &buffer;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  }
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) {
    return sys_fail(errno, "sendmsg({})", name);
  }
  if (static_cast<std::size_t>(sent) != data.size()) {
    return sys_fail(EIO, "sendmsg({}): {} of {} bytes", name, sent, data.size());
  }
  return {};
}

Result<ReceivedMessage> receive_message(int socket, std::size_t limit, std::string_view name) {
  ReceivedMessage received;
  received.data.resize(limit);
  iovec buffer{.iov_base = received.data.data(), .iov_len = received.data.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxFds)> control{};
  msghdr message{};
  message.msg_iov = &buffer;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t length = 0;
  do {
    length = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (length < 0 && errno == EINTR);
  if (length < 0) {
    return sys_fail(errno, "recvmsg({})", name);
  }
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
      continue;
    }
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    std::array<int, kMaxFds> fds{};
    std::memcpy(fds.data(), CMSG_DATA(header), count * sizeof(int));
    for (std::size_t index = 0; index < count; ++index) {
      received.fds.emplace_back(fds.at(index));
    }
  }
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return sys_fail(EMSGSIZE, "recvmsg({}): more than {} bytes or {} descriptors", name, limit, kMaxFds);
  }
  received.data.resize(static_cast<std::size_t>(length));
  return received;
}

Result<UniqueFd> listen_at(int directory, const std::string& name) {
  const sockaddr_un address = TRY(socket_address(fmt::format("/proc/self/fd/{}/{}", directory, name)));
  UniqueFd fd = TRY(unix_socket(SOCK_SEQPACKET));
  // The mode of the socket's inode is that of the socket itself, less the umask: no moment in which it is wider.
  if (::fchmod(fd.get(), S_IRUSR | S_IWUSR) < 0) {
    return sys_fail(errno, "fchmod({})", name);
  }
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    return sys_fail(errno, "bind({})", name);
  }
  constexpr int kBacklog = 16;
  if (::listen(fd.get(), kBacklog) < 0) {
    return sys_fail(errno, "listen({})", name);
  }
  return fd;
}

Result<UniqueFd> connect_at(int directory, const std::string& name) {
  return connect_to(SOCK_SEQPACKET, fmt::format("/proc/self/fd/{}/{}", directory, name), name);
}

Result<UniqueFd> connect_stream(const std::string& path) {
  return connect_to(SOCK_STREAM, path, path);
}

Status send_to(const std::string& path, std::string_view data, int fd) {
  const UniqueFd socket = TRY(connect_stream(path));
  return send_message(socket.get(), data, {&fd, 1}, path);
}

Result<UniqueFd> bind_datagram_at(int directory, const std::string& name, mode_t mode) {
  const sockaddr_un address = TRY(socket_address(fmt::format("/proc/self/fd/{}/{}", directory, name)));
  UniqueFd fd = TRY(unix_socket(SOCK_DGRAM));
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    return sys_fail(errno, "bind({})", name);
  }
  // Not the socket's own mode before bind(2): that would be cut by the umask.
  if (::fchmodat(directory, name.c_str(), mode, 0) < 0) {
    return sys_fail(errno, "fchmodat({})", name);
  }
  return fd;
}

Result<UniqueFd> connect_datagram(const std::string& path) {
  sockaddr_un address = TRY(socket_address(path));
  if (address.sun_path[0] == '@') {
    address.sun_path[0] = '\0';
  }
  UniqueFd fd = TRY(unix_socket(SOCK_DGRAM));
  // An abstract name ends where the address does.
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) < 0) {
    return sys_fail(errno, "connect({})", path);
  }
  return fd;
}

Result<UniqueFd> accept_connection(int socket) {
  int fd = -1;
  do {
    fd = ::accept4(socket, nullptr, nullptr, SOCK_CLOEXEC);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) {
    return sys_fail(errno, "accept4");
  }
  return UniqueFd(fd);
}

}  // namespace berth::sys
