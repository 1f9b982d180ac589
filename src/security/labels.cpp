#include <berth/security/labels.hpp>
#include <berth/sys/file.hpp>

#include <fcntl.h>

#include <cerrno>
#include <utility>

namespace berth::security {
namespace {

constexpr const char* kExec = "thread-self/attr/exec";
// Since Linux 5.8. Where several security modules are active, the common file may be another module's.
constexpr const char* kAppArmorExec = "thread-self/attr/apparmor/exec";

Status set_apparmor_profile(const path::ProcDir& proc, const std::string& profile) {
  const char* file_name = kAppArmorExec;
  auto file = proc.open_file(file_name, O_WRONLY);
  if (!file && file.error().is(ENOENT)) {
    file_name = kExec;
    file = proc.open_file(file_name, O_WRONLY);
  }
  if (!file) {
    return std::unexpected(std::move(file).error());
  }
  return sys::write_all(file->get(), "exec " + profile, file_name);
}

}  // namespace

Status set_exec_label(const path::ProcDir& proc, const std::string& selinux_label,
                      const std::string& apparmor_profile) {
  if (!selinux_label.empty()) {
    Status status = proc.write(kExec, selinux_label);
    if (!status) {
      status.error()
          .add_context(fmt::format("set process.selinuxLabel \"{}\"", selinux_label))
          .add_hint("SELinux must be enabled and its policy know the label");
      return status;
    }
  }
  if (!apparmor_profile.empty()) {
    Status status = set_apparmor_profile(proc, apparmor_profile);
    if (!status) {
      status.error()
          .add_context(fmt::format("set process.apparmorProfile \"{}\"", apparmor_profile))
          .add_hint("AppArmor must be enabled and the profile loaded");
      return status;
    }
  }
  return {};
}

}  // namespace berth::security
