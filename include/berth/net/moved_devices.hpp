// linux.netDevices: network devices of the host that the container gets.
#pragma once

#include <berth/base/error.hpp>
#include <berth/plan/container_plan.hpp>

#include <memory>
#include <span>

namespace berth::net {

/// Devices in the container's network namespace, until keep() on loan: destroying it brings them back as they were,
/// with name, permanent global addresses and state, and says on the log what could not be.
class MovedDevices {
 public:
  MovedDevices();
  MovedDevices(MovedDevices&& other) noexcept;
  MovedDevices& operator=(MovedDevices&& other) noexcept;
  ~MovedDevices();

  /// Moves each device under its new name from the caller's network namespace into the other one, gives it back its
  /// permanent addresses of global scope (the kernel drops them; MTU and hardware address stay) and sets it up. The
  /// error names the device; those that were moved before it come back with this object.
  Status move(std::span<const plan::NetDevice> devices, int network_namespace);
  /// They are the container's now. When its network namespace ends, the kernel returns physical devices to the host and
  /// deletes virtual ones.
  void keep();

 private:
  struct Loan;
  std::unique_ptr<Loan> loan_;
};

}  // namespace berth::net
