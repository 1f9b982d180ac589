#include "container/notify_socket.hpp"

#include <berth/base/log.hpp>
#include <berth/sys/file.hpp>
#include <berth/sys/pipe.hpp>
#include <berth/sys/socket.hpp>

#include <fcntl.h>
#include <linux/mount.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <utility>
#include <vector>

#include "container/observation.hpp"

namespace berth::container {
namespace {

// Longer ones than systemd reads (NOTIFY_BUFFER_MAX) are nobody's.
constexpr std::size_t kMaxMessage = 4096;
constexpr std::chrono::milliseconds kBarrierTimeout{5000};
constexpr const char* kInContainer = "/run/notify";

bool is_ready(std::string_view message) {
  return message.starts_with("READY=1\n") || message == "READY=1" || message.find("\nREADY=1\n") != message.npos ||
         message.ends_with("\nREADY=1");
}

}  // namespace

std::string notify_address() {
  const char* address = std::getenv("NOTIFY_SOCKET");
  return address != nullptr ? address : "";
}

void add_notify_socket(plan::ContainerPlan& plan, const std::string& source) {
  plan::Mount mount;
  mount.kind = plan::MountKind::kBind;
  mount.destination = kInContainer;
  mount.source = source;
  // Read-only: sockets can be connected to all the same, and nothing else gets into the state directory.
  mount.attributes.set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  mount.pointer = "$NOTIFY_SOCKET";
  plan.rootfs.mounts.push_back(std::move(mount));
  std::vector<std::string>& environment = plan.process.env;
  std::erase_if(environment, [](const std::string& variable) { return variable.starts_with("NOTIFY_SOCKET="); });
  environment.push_back(fmt::format("NOTIFY_SOCKET={}/{}", kInContainer, kNotifySocket));
}

std::string notification_of(std::string_view message, pid_t pid) {
  std::string notification;
  const bool ready = is_ready(message);
  while (!message.empty()) {
    const std::string_view line = message.substr(0, message.find('\n'));
    message.remove_prefix(std::min(message.size(), line.size() + 1));
    if (!line.empty() && !line.starts_with("MAINPID=") && !line.starts_with("MAINPIDFDID=")) {
      notification += notification.empty() ? "" : "\n";
      notification += line;
    }
  }
  if (ready) {
    notification += fmt::format("\nMAINPID={}", pid);
  }
  return notification;
}

Result<NotifyProxy> NotifyProxy::start(int state_directory, const std::string& address) {
  sys::UniqueFd manager = TRY_CONTEXT(sys::connect_datagram(address), "$NOTIFY_SOCKET");
  const sys::UniqueFd directory =
      TRY(sys::open_at(state_directory, kNotifyDirectory, O_PATH | O_DIRECTORY | O_NOFOLLOW));
  // Left by a `start` that was killed.
  if (auto removed = sys::unlink_at(directory.get(), kNotifySocket); !removed && !removed.error().is(ENOENT)) {
    return std::unexpected(std::move(removed).error());
  }
  // Any user of the container may notify; outside, the state directory keeps everybody away.
  sys::UniqueFd socket = TRY(sys::bind_datagram_at(directory.get(), kNotifySocket, 0666));
  return NotifyProxy(std::move(socket), std::move(manager));
}

Result<bool> NotifyProxy::forward(pid_t pid) const {
  auto received = sys::receive_message(socket_.get(), kMaxMessage, "notify socket");
  if (!received) {
    log::debug("{}", received.error().message());
    return false;
  }
  std::vector<int> fds;
  fds.reserve(received->fds.size());
  for (const sys::UniqueFd& fd : received->fds) {
    fds.push_back(fd.get());
  }
  const std::string notification = notification_of(received->data, pid);
  if (!notification.empty()) {
    // With its descriptors: BARRIER=1 has one that the manager closes when it has come so far, FDSTORE=1 has more.
    TRY_CONTEXT(sys::send_message(manager_.get(), notification, fds, "$NOTIFY_SOCKET"), "forward a notification");
  }
  return is_ready(received->data);
}

Status NotifyProxy::await_ready(const sys::Pidfd& process, pid_t pid, int interrupt_fd) const {
  for (bool ready = false; !ready;) {
    const std::array<int, 3> fds = {socket_.get(), process.get(), interrupt_fd};
    const auto readable = TRY(sys::wait_readable(fds, std::chrono::milliseconds(-1)));
    if (readable == std::size_t{1}) {
      return {};  // it ended without
    }
    if (readable == std::size_t{2}) {
      return fail(ErrorKind::kState, "a signal ended the wait until it is ready; the container runs");
    }
    ready = TRY(forward(pid));
  }
  sys::Pipe pipe = TRY(sys::Pipe::create());
  const int barrier = pipe.write_end.get();
  TRY(sys::send_message(manager_.get(), "BARRIER=1", {&barrier, 1}, "$NOTIFY_SOCKET"));
  pipe.write_end.reset();
  const int passed = pipe.read_end.get();
  if (!TRY(sys::wait_readable({&passed, 1}, kBarrierTimeout))) {
    log::warning("the service manager at $NOTIFY_SOCKET did not answer within {} s", kBarrierTimeout.count() / 1000);
  }
  return {};
}

}  // namespace berth::container
