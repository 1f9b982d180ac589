#include <berth/path/proc_dir.hpp>
#include <berth/security/labels.hpp>

#include <catch2/catch.hpp>

#include "in_child.hpp"

using namespace berth;

namespace {

std::string set(const std::string& selinux_label, const std::string& apparmor_profile) {
  return test::in_child([&] {
    const Result<path::ProcDir> proc = path::ProcDir::open();
    if (!proc) {
      return "procfs: " + proc.error().message();
    }
    const Status status =
        security::set_exec_labels(*proc, security::exec_labels(*proc, selinux_label, apparmor_profile));
    return status ? std::string("set") : status.error().message();
  });
}

}  // namespace

TEST_CASE("no label, nothing to do") {
  CHECK(set("", "") == "set");
}

TEST_CASE("a label that no security module can give is an error that says which") {
  CHECK_THAT(set("no:such:label", ""), Catch::StartsWith("/process/selinuxLabel: ") &&
                                           Catch::EndsWith("(SELinux must be enabled and its policy know the label)"));
  CHECK_THAT(set("", "no-such-profile"), Catch::StartsWith("/process/apparmorProfile: ") &&
                                             Catch::EndsWith("(AppArmor must be enabled and the profile loaded)"));
}
