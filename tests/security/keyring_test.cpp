#include <berth/security/keyring.hpp>

#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <string>

#include "in_child.hpp"

using namespace berth;

namespace {

constexpr int kSessionKeyring = KEY_SPEC_SESSION_KEYRING;
constexpr int kProcessKeyring = KEY_SPEC_PROCESS_KEYRING;

long session_keyring() {
  return ::syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, kSessionKeyring, 0);
}

bool host_has_no_keyrings() {
  return session_keyring() < 0 && errno == ENOSYS;
}

}  // namespace

TEST_CASE("each join makes a session keyring of its own") {
  if (host_has_no_keyrings()) {
    WARN("skipped: the host has no keyrings");
    return;
  }
  const std::string outcome = test::in_child([] {
    const long before = session_keyring();
    if (const Status status = security::join_session_keyring(""); !status) {
      return status.error().message();
    }
    const long first = session_keyring();
    if (const Status status = security::join_session_keyring(""); !status) {
      return status.error().message();
    }
    return std::string(first > 0 && first != before && session_keyring() != first ? "its own" : "shared");
  });
  CHECK(outcome == "its own");
}

TEST_CASE("used up keys are told with a way out") {
  if (host_has_no_keyrings()) {
    WARN("skipped: the host has no keyrings");
    return;
  }
  const std::string outcome = test::in_child([] {
    constexpr uid_t kNobodys = 64'999;  // root's keys are too many to use them up
    if (::geteuid() == 0 && ::setuid(kNobodys) < 0) {
      return fmt::format("setuid: errno {}", errno);
    }
    for (int key = 0; key < 10'000; ++key) {
      const std::string name = fmt::format("used up {}", key);
      if (::syscall(SYS_add_key, "keyring", name.c_str(), nullptr, 0, kProcessKeyring) < 0) {
        const Status status = security::join_session_keyring("");
        return status ? std::string("joined") : status.error().message();
      }
    }
    return std::string("this host lets everybody have 10,000 keys");
  });
  CHECK_THAT(outcome, Catch::Matchers::Contains("Disk quota exceeded (the user's keys are used up"));
}
