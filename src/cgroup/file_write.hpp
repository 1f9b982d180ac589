// A limit in the kernel's terms.
#pragma once

#include <string>
#include <vector>

namespace berth::cgroup {

/// One write(2) of `value` to `file` of the container's cgroup.
struct FileWrite {
  std::string property;    ///< JSON pointer of the limit that this enforces, for errors
  std::string controller;  ///< whose file it is, by the name of its hierarchy: "memory", "blkio" (v1), "io" (v2)
  std::string file;
  std::string value;
  /// Where the kernel has no `file` (another io scheduler, say), this one takes its place. "": none.
  std::string fallback_file = {};
  std::string fallback_value = {};
  /// A kernel without the file already behaves as the value asks; the translation says why where it sets this.
  bool may_be_missing = false;

  friend bool operator==(const FileWrite&, const FileWrite&) = default;
};

}  // namespace berth::cgroup
