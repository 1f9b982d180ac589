// A connection to the message bus on which systemd listens.
//
// No library of D-Bus: libdbus announces the caller's uid in its own user namespace, which the bus of a user outside of
// it refuses, and it waits without a bound for a bus that accepts nobody. Only four kinds of message are needed.
#pragma once

#include <berth/base/error.hpp>
#include <berth/sys/unique_fd.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "cgroup/systemd/bus_message.hpp"

namespace berth::cgroup::systemd {

using Clock = std::chrono::steady_clock;

/// Pure. The socket's path in an address such as "unix:path=/run/dbus/system_bus_socket,guid=0a"; "" for an address of
/// another kind.
std::string socket_path(std::string_view address);

/// An error that systemd answered with: its name on the bus, and the error to show.
struct CallError {
  std::string name;  ///< "org.freedesktop.systemd1.UnitExists"; "" if there was no answer
  Error error;
};
template <class T>
using CallResult = std::expected<T, CallError>;
/// Whether it says that there is no such unit, or no such run of one.
bool is_gone(const CallError& error);

/// What a method is called on: systemd's manager, or one of its units.
struct BusObject {
  std::string path;
  const char* interface;
};
/// The manager, which starts units and knows them by name.
BusObject manager_object();
/// The unit of this name, or the one whose run has this InvocationID: systemd knows both by the same kind of path.
BusObject unit_object(std::string_view name_or_invocation);
/// What only a scope has.
BusObject scope_object(std::string_view name_or_invocation);

/// Every wait has a bound. The descriptor is closed on exec.
class Bus {
 public:
  /// The system's bus, or the caller's own one (`user`), by the environment or else at its usual place.
  static Result<Bus> connect(bool user);

  /// Calls a method of systemd's and gives the answer.
  CallResult<BusMessage> call(const BusObject& object, std::string_view method, const BusArguments& arguments);
  /// A property that is a text, or bytes.
  CallResult<std::string> property(const BusObject& object, std::string_view name);
  /// As call(), for a method that answers with a job; returns when that has ended, with its result: "done", "failed",
  /// "timeout"... .
  CallResult<std::string> run_job(const BusObject& object, std::string_view method, const BusArguments& arguments);

 private:
  explicit Bus(sys::UniqueFd socket, std::string path) : socket_(std::move(socket)), path_(std::move(path)) {}
  Status authenticate(Clock::time_point deadline);
  Status receive_some(Clock::time_point deadline);
  Status discard(std::size_t length, Clock::time_point deadline);
  Result<BusMessage> receive(Clock::time_point deadline);
  Result<BusMessage> receive_and_note_jobs(Clock::time_point deadline);
  CallResult<BusMessage> call(const BusCall& call, const BusArguments& arguments);

  sys::UniqueFd socket_;
  std::string path_;
  std::string received_;  ///< bytes that are no whole message yet
  std::uint32_t serial_ = 0;
  bool hears_jobs_ = false;
  /// Sender and path -> result: whoever is on the bus can send us a signal.
  std::map<std::pair<std::string, std::string>, std::string> ended_jobs_;
};

}  // namespace berth::cgroup::systemd
