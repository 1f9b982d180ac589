#include "cgroup/systemd/bus.hpp"

#include <berth/sys/pipe.hpp>
#include <berth/sys/process.hpp>
#include <berth/sys/socket.hpp>

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "cgroup/systemd/unit_name.hpp"

namespace berth::cgroup::systemd {
namespace {

// As long as other clients of D-Bus wait for an answer; systemd itself lets a job of a scope take 90 s.
constexpr std::chrono::seconds kAnswerBound{25};
constexpr std::chrono::seconds kJobBound{60};
constexpr std::size_t kLongestRead = 1UL << 20;  // systemd's answers are far shorter

constexpr const char* kDaemon = "org.freedesktop.DBus";
constexpr const char* kDaemonPath = "/org/freedesktop/DBus";
constexpr const char* kSystemd = "org.freedesktop.systemd1";
constexpr const char* kJobRemoved =
    "type='signal',sender='org.freedesktop.systemd1',interface='org.freedesktop.systemd1.Manager',member='JobRemoved'";

std::string environment(const char* name) {
  const char* value = ::getenv(name);
  return value == nullptr ? "" : value;
}

// As dbus-daemon(1) and sd_bus_default(3) say it. No environment at all stands for the usual place.
std::string bus_path(bool user) {
  const std::string address = environment(user ? "DBUS_SESSION_BUS_ADDRESS" : "DBUS_SYSTEM_BUS_ADDRESS");
  if (std::string path = socket_path(address); !path.empty()) {
    return path;
  }
  if (!user) {
    return "/run/dbus/system_bus_socket";
  }
  const std::string runtime_directory = environment("XDG_RUNTIME_DIR");
  return (runtime_directory.empty() ? fmt::format("/run/user/{}", ::geteuid()) : runtime_directory) + "/bus";
}

Error no_bus(Error error, bool user) {
  if (error.is(ENOENT) || error.is(ECONNREFUSED)) {
    error.add_hint(user
                       ? "no systemd of this user with a message bus runs here (loginctl enable-linger starts it): use "
                         "--cgroup-manager cgroupfs"
                       : "no systemd with a message bus runs here: use --cgroup-manager cgroupfs");
  }
  error.add_context(fmt::format("connect to the {} bus of systemd", user ? "user's" : "system"));
  return error;
}

CallError no_answer(Error error, const BusCall& call) {
  error.add_context(fmt::format("call {} of {}", call.member, call.destination));
  return {.name = "", .error = std::move(error)};
}

}  // namespace

std::string socket_path(std::string_view address) {
  constexpr std::string_view kPrefix = "unix:path=";
  if (!address.starts_with(kPrefix)) {
    return "";
  }
  address.remove_prefix(kPrefix.size());
  return std::string(address.substr(0, address.find_first_of(",;")));
}

bool is_gone(const CallError& error) {
  return error.name == "org.freedesktop.systemd1.NoSuchUnit" ||
         error.name == "org.freedesktop.systemd1.NoUnitForInvocationID";
}

BusObject manager_object() {
  return {.path = "/org/freedesktop/systemd1", .interface = "org.freedesktop.systemd1.Manager"};
}

BusObject unit_object(std::string_view name_or_invocation) {
  return {.path = "/org/freedesktop/systemd1/unit/" + path_label(name_or_invocation),
          .interface = "org.freedesktop.systemd1.Unit"};
}

BusObject scope_object(std::string_view name_or_invocation) {
  return {.path = unit_object(name_or_invocation).path, .interface = "org.freedesktop.systemd1.Scope"};
}

Result<Bus> Bus::connect(bool user) {
  const std::string path = bus_path(user);
  auto socket = sys::connect_stream(path);
  if (!socket) {
    return std::unexpected(no_bus(std::move(socket).error(), user));
  }
  Bus bus(std::move(*socket), path);
  if (auto authenticated = bus.authenticate(Clock::now() + kAnswerBound); !authenticated) {
    return std::unexpected(no_bus(std::move(authenticated).error(), user));
  }
  const BusCall hello{.destination = kDaemon, .path = kDaemonPath, .interface = kDaemon, .member = "Hello"};
  if (auto greeted = bus.call(hello, {}); !greeted) {
    return std::unexpected(no_bus(std::move(greeted).error().error, user));
  }
  return bus;
}

// EXTERNAL without a name: the daemon takes the uid that the kernel tells it, which is right in every user namespace.
Status Bus::authenticate(Clock::time_point deadline) {
  constexpr std::string_view kBegin("\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n", 29);
  TRY(sys::send_message(socket_.get(), kBegin, {}, path_));
  while (true) {
    const std::size_t end = received_.find("\r\n");
    if (end == std::string::npos) {
      TRY(receive_some(deadline));
      continue;
    }
    const std::string line = received_.substr(0, end);
    received_.erase(0, end + 2);
    if (line.starts_with("OK")) {
      return {};
    }
    if (line != "DATA") {
      return fail(ErrorKind::kSystem, "{} lets nobody in by the uid alone: it answered {}", path_, one_line(line));
    }
  }
}

Status Bus::receive_some(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  const std::array<int, 1> fds{socket_.get()};
  if (left.count() <= 0 || !TRY(sys::wait_readable(fds, left))) {
    return sys_fail(ETIMEDOUT, "recv({})", path_);
  }
  std::array<char, 4096> buffer{};
  const std::size_t count = TRY(sys::read_some(socket_.get(), buffer, path_));
  if (count == 0) {
    return sys_fail(ECONNRESET, "recv({})", path_);
  }
  received_.append(buffer.data(), count);
  return {};
}

Status Bus::discard(std::size_t length, Clock::time_point deadline) {
  while (received_.size() < length) {
    length -= received_.size();
    received_.clear();
    TRY(receive_some(deadline));
  }
  received_.erase(0, length);
  return {};
}

// Whoever is on the bus can send us a signal, of any length and in either byte order. What systemd would not send is
// passed over: it must not end our call.
Result<BusMessage> Bus::receive(Clock::time_point deadline) {
  for (;;) {
    std::size_t length = 0;
    while ((length = TRY(message_length(received_))) == 0) {
      TRY(receive_some(deadline));
    }
    if (length > kLongestRead) {
      TRY(discard(length, deadline));
      continue;
    }
    while (received_.size() < length) {
      TRY(receive_some(deadline));
    }
    Result<BusMessage> message = parse_message(std::string_view(received_).substr(0, length));
    received_.erase(0, length);
    if (message) {
      return message;
    }
  }
}

Result<BusMessage> Bus::receive_and_note_jobs(Clock::time_point deadline) {
  BusMessage message = TRY(receive(deadline));
  if (message.type == BusMessageType::kSignal && message.member == "JobRemoved") {
    const auto texts = texts_of(message);  // job, unit, result
    if (texts && texts->size() == 3) {
      ended_jobs_[{message.sender, texts->front()}] = texts->back();
    }
  }
  return message;
}

CallResult<BusMessage> Bus::call(const BusCall& call, const BusArguments& arguments) {
  const auto deadline = Clock::now() + kAnswerBound;
  const std::uint32_t serial = ++serial_;
  if (auto sent = sys::send_message(socket_.get(), method_call(serial, call, arguments), {}, path_); !sent) {
    return std::unexpected(no_answer(std::move(sent).error(), call));
  }
  while (true) {
    auto message = receive_and_note_jobs(deadline);
    if (!message) {
      return std::unexpected(no_answer(std::move(message).error(), call));
    }
    // Answers that nobody asked for do not pass the bus; a signal may say that it answers something.
    const bool is_answer = message->type == BusMessageType::kReturn || message->type == BusMessageType::kError;
    if (!is_answer || message->reply_serial != serial) {
      continue;
    }
    if (message->type == BusMessageType::kReturn) {
      return std::move(*message);
    }
    const std::string text = first_text_of(*message).value_or(message->error_name);
    CallError refused{
        .name = message->error_name,
        .error = Error(ErrorKind::kSystem, fmt::format("systemd refused {}: {}", call.member, one_line(text)))};
    return std::unexpected(std::move(refused));
  }
}

CallResult<BusMessage> Bus::call(const BusObject& object, std::string_view method, const BusArguments& arguments) {
  return call(
      {.destination = kSystemd, .path = object.path, .interface = object.interface, .member = std::string(method)},
      arguments);
}

CallResult<std::string> Bus::property(const BusObject& object, std::string_view name) {
  const auto answer = call({.path = object.path, .interface = "org.freedesktop.DBus.Properties"}, "Get",
                           BusArguments().add(object.interface).add(name));
  if (!answer) {
    return std::unexpected(answer.error());
  }
  auto text = first_text_of(*answer);
  if (!text) {
    text.error().add_context(fmt::format("property {} of systemd's {}", name, object.path));
    return std::unexpected(CallError{.name = "", .error = std::move(text).error()});
  }
  return std::move(*text);
}

CallResult<std::string> Bus::run_job(const BusObject& object, std::string_view method, const BusArguments& arguments) {
  if (!hears_jobs_) {
    const BusCall add_match{.destination = kDaemon, .path = kDaemonPath, .interface = kDaemon, .member = "AddMatch"};
    if (auto added = call(add_match, BusArguments().add(kJobRemoved)); !added) {
      return std::unexpected(std::move(added).error());
    }
    hears_jobs_ = true;
  }
  const auto deadline = Clock::now() + kJobBound;
  const auto answer = call(object, method, arguments);
  if (!answer) {
    return std::unexpected(answer.error());
  }
  const auto failed = [&](Error error) {
    error.add_context(fmt::format("wait for systemd's job of {}", method));
    return std::unexpected(CallError{.name = "", .error = std::move(error)});
  };
  auto path = first_text_of(*answer);
  if (!path) {
    return failed(std::move(path).error());
  }
  const std::pair job(answer->sender, std::move(*path));
  while (!ended_jobs_.contains(job)) {
    if (auto message = receive_and_note_jobs(deadline); !message) {
      return failed(std::move(message).error());
    }
  }
  return ended_jobs_[job];
}

}  // namespace berth::cgroup::systemd
