#include <berth/channel/channel.hpp>
#include <berth/sys/socket.hpp>

#include <catch2/catch.hpp>
#include <cerrno>
#include <string>
#include <vector>

using namespace berth;
using namespace berth::channel;

namespace {

bool follows(Sequence::Begin begin, const std::vector<MessageType>& messages) {
  Sequence sequence(begin);
  for (const MessageType type : messages) {
    if (!sequence.advance(type)) {
      return false;
    }
  }
  return true;
}

}  // namespace

TEST_CASE("the launches that are drawn in the header may happen") {
  using enum MessageType;
  const auto launch = Sequence::Begin::kLaunch;
  CHECK(follows(launch, {kProceed, kReady, kCommitted, kExecuting, kTrampolineFailed}));
  CHECK(follows(launch, {kProceed, kHooksWanted, kHooksDone, kReady, kCommitted, kExecuting}));
  CHECK(follows(launch, {kProceed, kCloned, kProceed, kReady, kCommitted, kFailure}));
  CHECK(follows(Sequence::Begin::kStart, {kStart, kExecuting, kTrampolineFailed}));
  CHECK(follows(Sequence::Begin::kStart, {kStart, kStartHooks, kExecuting}));
  CHECK(follows(launch, {kProceed, kCloned, kProceed, kExecuting}));
}

TEST_CASE("a message out of order is refused") {
  using enum MessageType;
  const auto launch = Sequence::Begin::kLaunch;
  CHECK_FALSE(follows(launch, {kReady}));
  CHECK_FALSE(follows(launch, {kProceed, kCommitted}));
  CHECK_FALSE(follows(launch, {kProceed, kReady, kExecuting}));
  CHECK_FALSE(follows(launch, {kProceed, kHooksDone}));
  CHECK_FALSE(follows(launch, {kProceed, kCloned, kReady}));
  CHECK_FALSE(follows(launch, {kFailure, kReady}));
  CHECK_FALSE(follows(Sequence::Begin::kStart, {kExecuting}));
}

TEST_CASE("an error arrives whole") {
  Error error = Error::system(EPERM, "move_mount(<rootfs>/proc/kcore)");
  error.add_context("mask /proc/kcore").add_context("protect paths").add_hint("why not");
  error.set_kind(ErrorKind::kExec);
  const Error copy = decode_error(encode_error(error));
  CHECK(copy.message() == error.message());
  CHECK(copy.kind() == ErrorKind::kExec);
  CHECK(copy.errnum() == EPERM);
  CHECK(copy.contexts() == std::vector<std::string>{"protect paths", "mask /proc/kcore"});
}

TEST_CASE("every cut of an error's bytes is still an error") {
  Error error = Error::system(EPERM, "open(x)");
  error.add_context("context");
  const std::string bytes = encode_error(error);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    CHECK_FALSE(decode_error(std::string_view(bytes).substr(0, length)).message().empty());
  }
  CHECK(decode_error("\xff\xff\xff\xff\xff").kind() == ErrorKind::kInternal);
}

TEST_CASE("an error with endless texts fits into one message") {
  Error error(ErrorKind::kSystem, std::string(100'000, 'x'));
  for (int index = 0; index < 100; ++index) {
    error.add_context(std::string(10'000, 'y'));
  }
  sys::SocketPair sockets = sys::SocketPair::create().value();
  Channel sender(std::move(sockets.first));
  Channel receiver(std::move(sockets.second));
  sender.send_failure(error);
  const auto received = receiver.receive();
  REQUIRE_FALSE(received.has_value());
  CHECK(received.error().kind() == ErrorKind::kSystem);
  CHECK(received.error().operation().front() == 'x');
}

TEST_CASE("the end of the stream is not a message") {
  sys::SocketPair sockets = sys::SocketPair::create().value();
  Channel receiver(std::move(sockets.second));
  sockets.first.reset();
  const auto received = receiver.receive();
  REQUIRE(received.has_value());
  CHECK_FALSE(received->has_value());
}

TEST_CASE("what was said before a death is heard, whatever the dead one did not hear") {
  sys::SocketPair sockets = sys::SocketPair::create().value();
  Channel sender(std::move(sockets.first));
  Channel receiver(std::move(sockets.second));
  sender.send_failure(Error(ErrorKind::kSystem, "the reason"));
  REQUIRE(receiver.send(MessageType::kProceed).has_value());
  sender.close();
  const auto received = receiver.receive();
  REQUIRE_FALSE(received.has_value());
  CHECK(received.error().message() == "the reason");
}

TEST_CASE("a descriptor travels with a message") {
  sys::SocketPair sockets = sys::SocketPair::create().value();
  Channel sender(std::move(sockets.first), Sequence(Sequence::Begin::kStart));
  Channel receiver(std::move(sockets.second), Sequence(Sequence::Begin::kStart));
  REQUIRE(sender.send(MessageType::kStart, "payload", sender.fd()).has_value());
  const auto received = receiver.receive();
  REQUIRE(received.has_value());
  REQUIRE(received->has_value());
  CHECK((*received)->payload == "payload");
  CHECK((*received)->fds.size() == 1);
}
