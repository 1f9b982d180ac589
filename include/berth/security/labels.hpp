// SELinux and AppArmor labels of the container's program.
#pragma once

#include <berth/base/error.hpp>
#include <berth/path/proc_dir.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace berth::security {

enum class LabelModule : std::uint8_t { kSelinux, kApparmor };

/// What a process writes to give its next exec a label.
struct ExecLabel {
  LabelModule module;
  std::string file;  ///< below a procfs: thread-self/attr/exec or thread-self/attr/apparmor/exec
  std::string text;  ///< the label, or "exec PROFILE"
};

/// SELinux first; an empty label is none.
[[nodiscard]] std::vector<ExecLabel> exec_labels(const path::ProcDir& proc, const std::string& selinux_label,
                                                 const std::string& apparmor_profile);
/// Writes them. A label that the kernel's modules cannot give is an error.
Status set_exec_labels(const path::ProcDir& proc, const std::vector<ExecLabel>& labels);
/// The failure to write one, with the property that asked for it and what it may lack.
[[nodiscard]] Error label_error(Error error, LabelModule module);

}  // namespace berth::security
