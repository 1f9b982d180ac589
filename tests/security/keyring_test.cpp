#include <berth/security/keyring.hpp>

#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cerrno>

#include "in_child.hpp"

using namespace berth;

namespace {

constexpr int kSessionKeyring = KEY_SPEC_SESSION_KEYRING;

// Number and description of the session keyring.
std::string session_keyring() {
  std::array<char, 256> text{};
  const long id = ::syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, kSessionKeyring, 0);
  if (::syscall(SYS_keyctl, KEYCTL_DESCRIBE, kSessionKeyring, text.data(), text.size()) < 0) {
    return fmt::format("errno {}", errno);
  }
  const std::string description = text.data();
  return fmt::format("{} {}", id, description.substr(description.rfind(';') + 1));
}

}  // namespace

TEST_CASE("each container has a session keyring of its own, even under the same name") {
  const std::string outcome = test::in_child([] {
    if (const Status status = security::join_session_keyring("web", ""); !status) {
      return status.error().message();
    }
    const std::string first = session_keyring();
    static_cast<void>(security::join_session_keyring("web", ""));
    const std::string second = session_keyring();
    return first == second ? "shared" : first.substr(first.find(' ') + 1);
  });
  if (outcome == fmt::format("errno {}", ENOSYS) || outcome == "shared") {
    REQUIRE(::syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, kSessionKeyring, 0) < 0);
    WARN("skipped: the host has no keyrings");
    return;
  }
  CHECK(outcome == "_ses.web");
}

TEST_CASE("what makes a keyring fail is told with a way out") {
  const std::string long_name(5000, 'x');
  const std::string outcome = test::in_child([&] {
    const Status status = security::join_session_keyring(long_name, "");
    return status ? std::string("joined") : status.error().hint();
  });
  CHECK((outcome == "--no-new-keyring leaves the caller's keyring" || outcome == "joined"));
}
