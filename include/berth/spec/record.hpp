// What berth itself remembers of a container between two commands.
#pragma once

#include <berth/base/error.hpp>
#include <berth/spec/hook.hpp>

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::spec {

struct CgroupDirectoryRecord {
  std::string hierarchy;
  std::string path;
  friend bool operator==(const CgroupDirectoryRecord&, const CgroupDirectoryRecord&) = default;
};

struct UnitRecord {
  std::string name;
  bool user = false;
  std::string invocation;  ///< by which systemd knows this run of the unit; "" before it runs
  friend bool operator==(const UnitRecord&, const UnitRecord&) = default;
};

struct CgroupRecord {
  std::string manager;  ///< "cgroupfs", "systemd" or "disabled"
  std::string path;
  std::vector<CgroupDirectoryRecord> directories;
  std::optional<UnitRecord> unit = {};  ///< of systemd
  std::uint64_t inode = 0;              ///< of the first directory; 0 before it is made, and beside a unit
  friend bool operator==(const CgroupRecord&, const CgroupRecord&) = default;
};

/// The runtime's persistent record of one container. Written first as an intent (before the cgroup and the process that
/// it describes exist, `committed` false), then again when the container is complete.
struct Record {
  std::string id;
  std::string bundle;            ///< absolute
  std::string rootfs;            ///< absolute
  std::string boot_id;           ///< /proc/sys/kernel/random/boot_id: a pid means nothing after a reboot
  pid_t pid = 0;                 ///< 0: not known yet
  std::uint64_t start_time = 0;  ///< of the process, in clock ticks after boot: field 22 of /proc/PID/stat
  std::string created;           ///< RFC 3339
  uid_t owner = 0;
  bool committed = false;
  bool no_new_keyring = false;  ///< its processes keep the session keyring of the caller's
  CgroupRecord cgroup;
  std::vector<Hook> poststart;
  std::vector<Hook> poststop;
  std::map<std::string, std::string> annotations;
  std::vector<std::string> rdt_directories;  ///< of resctrl, that go away with the container; innermost first
  std::string seccomp_listener_path;         ///< empty if there is none
  std::string seccomp_listener_metadata;
};

/// One JSON object, compact, with a newline at its end (its absence betrays a torn file).
[[nodiscard]] std::string record_json(const Record& record);
/// Reads what record_json() wrote. Every property is required and checked; anything else (a torn file, another
/// version's, somebody else's) is an error of kind kState that says what is wrong and where.
Result<Record> parse_record(std::string_view text);

}  // namespace berth::spec
