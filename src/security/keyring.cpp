#include <berth/path/proc_dir.hpp>
#include <berth/security/keyring.hpp>
#include <berth/sys/keyctl.hpp>

#include <cerrno>
#include <utility>

namespace berth::security {
namespace {

// A name would be looked for among the keyrings of everybody in the user namespace, and the first one that lets the
// process search it would be joined, whoever has laid it out there.
Status join() {
  Status status = sys::join_new_session_keyring();
  if (status || status.error().is(ENOSYS)) {
    return {};
  }
  Error& error = status.error();
  if (error.is(EDQUOT)) {
    error.add_hint(
        "the user's keys are used up: see /proc/key-users, raise kernel.keys.root_maxkeys or kernel.keys.maxkeys, or "
        "use --no-new-keyring");
  } else {
    error.add_hint("--no-new-keyring leaves the caller's keyring");
  }
  return status;
}

}  // namespace

Status join_session_keyring(const std::string& label) {
  if (label.empty()) {
    return join();
  }
  constexpr const char* kKeyCreate = "thread-self/attr/keycreate";
  const path::ProcDir proc = TRY(path::ProcDir::open());
  if (Status labelled = proc.write(kKeyCreate, label); !labelled) {
    labelled.error()
        .add_context(fmt::format("label the session keyring with process.selinuxLabel \"{}\"", label))
        .add_hint("SELinux must be enabled and its policy know the label");
    return labelled;
  }
  TRY(join());
  // Keys that the process makes later are labelled as the policy says. An empty write takes the label back.
  return proc.write(kKeyCreate, std::string_view("\0", 1));
}

}  // namespace berth::security
