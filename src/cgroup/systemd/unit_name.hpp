// Names of systemd's units, and the cgroups that they get. Pure.
#pragma once

#include <berth/base/error.hpp>

#include <string>
#include <string_view>

namespace berth::cgroup::systemd {

/// The scope of one container.
struct ScopeName {
  std::string slice;  ///< "machine.slice"
  std::string unit;   ///< "libpod-1234.scope"
  friend bool operator==(const ScopeName&, const ScopeName&) = default;
};

/// From `slice:prefix:name`, each of which may be empty: system.slice (of a user's own systemd: user.slice), no prefix,
/// the container's id. "" is `:berth:ID`. Characters that a unit's name cannot have are escaped as systemd-escape(1)
/// does.
Result<ScopeName> parse_scope_name(const std::string& cgroups_path, const std::string& id, bool user);

/// A slice's cgroup below that of systemd: dashes nest, so that a-b.slice is in a.slice. systemd.slice(5).
Result<std::string> slice_path(const std::string& slice);

/// The name of a unit's cgroup: systemd puts a "_" before a name that could be a file of the kernel's.
std::string cgroup_name(const std::string& unit);

/// The other way round.
std::string unit_name(const std::string& cgroup);

/// The slice around this one: a.slice for a-b.slice; "" for a slice at the top.
std::string parent_slice(const std::string& slice);

/// A name as one component of an object's path on the bus, as sd_bus_path_encode(3) escapes it.
std::string path_label(std::string_view name);

}  // namespace berth::cgroup::systemd
