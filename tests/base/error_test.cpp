#include <berth/base/error.hpp>

#include <catch2/catch.hpp>
#include <cerrno>
#include <memory>

using berth::Error;
using berth::ErrorKind;
using berth::Result;
using berth::Status;

namespace {

Status lowest() {
  return berth::sys_fail(EPERM, "move_mount({})", "<rootfs>/proc/kcore");
}

Status middle() {
  TRY_CONTEXT(lowest(), "mask {}", "/proc/kcore");
  return {};
}

Result<std::unique_ptr<int>> outer(bool good) {
  if (!good) {
    TRY_CONTEXT(middle(), "create \"web\"");
  }
  return std::make_unique<int>(7);
}

}  // namespace

TEST_CASE("an error reads from the outside in and ends with errno's text") {
  CHECK(outer(false).error().message() ==
        "create \"web\": mask /proc/kcore: move_mount(<rootfs>/proc/kcore): Operation not permitted");
}

TEST_CASE("TRY hands on a value that can only be moved") {
  const auto get = []() -> Result<int> {
    const std::unique_ptr<int> value = TRY(outer(true));
    return *value;
  };
  CHECK(get().value() == 7);
}

TEST_CASE("a hint comes last, in brackets, and the innermost one stays") {
  Error error = Error::system(ENOENT, "open(x)");
  error.add_hint("make it").add_hint("or not");
  CHECK(error.message() == "open(x): No such file or directory (make it)");
}

TEST_CASE("a message is always one line") {
  CHECK(Error(ErrorKind::kConfig, "bad\nvalue\t\x7f").message() == "bad\\x0avalue\\x09\\x7f");
}

TEST_CASE("an error without errno has no errno text") {
  const Error error(ErrorKind::kState, "container not running");
  CHECK(error.message() == "container not running");
  CHECK(error.errnum() == 0);
}
