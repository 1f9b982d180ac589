#include <berth/security/labels.hpp>

#include <fcntl.h>

#include <utility>

namespace berth::security {
namespace {

constexpr const char* kExec = "thread-self/attr/exec";
// Since Linux 5.8. Where several security modules are active, the common file may be another module's.
constexpr const char* kAppArmorExec = "thread-self/attr/apparmor/exec";

}  // namespace

std::vector<ExecLabel> exec_labels(const path::ProcDir& proc, const std::string& selinux_label,
                                   const std::string& apparmor_profile) {
  std::vector<ExecLabel> labels;
  if (!selinux_label.empty()) {
    labels.push_back({LabelModule::kSelinux, kExec, selinux_label});
  }
  if (!apparmor_profile.empty()) {
    const bool has_own_file = proc.open_file(kAppArmorExec, O_PATH).has_value();
    labels.push_back({LabelModule::kApparmor, has_own_file ? kAppArmorExec : kExec, "exec " + apparmor_profile});
  }
  return labels;
}

Status set_exec_labels(const path::ProcDir& proc, const std::vector<ExecLabel>& labels) {
  for (const ExecLabel& label : labels) {
    if (auto written = proc.write(label.file, label.text); !written) {
      return std::unexpected(label_error(std::move(written).error(), label.module));
    }
  }
  return {};
}

Error label_error(Error error, LabelModule module) {
  if (module == LabelModule::kSelinux) {
    error.add_context("/process/selinuxLabel").add_hint("SELinux must be enabled and its policy know the label");
  } else {
    error.add_context("/process/apparmorProfile").add_hint("AppArmor must be enabled and the profile loaded");
  }
  return error;
}

}  // namespace berth::security
