// SELinux and AppArmor labels of the container's program.
#pragma once

#include <berth/base/error.hpp>
#include <berth/path/proc_dir.hpp>

#include <string>

namespace berth::security {

/// The label of the next exec (attr/exec, or attr/apparmor/exec with "exec PROFILE"), written through the private
/// procfs. An empty label does nothing; a label that the kernel's modules cannot give is an error.
Status set_exec_label(const path::ProcDir& proc, const std::string& selinux_label, const std::string& apparmor_profile);

}  // namespace berth::security
