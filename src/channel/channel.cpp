#include <berth/channel/channel.hpp>
#include <berth/sys/socket.hpp>

#include <array>
#include <cerrno>
#include <cstring>

namespace berth::channel {
namespace {

constexpr std::size_t kMaxMessage = std::size_t{8} * 1024;
// A text of an error (which may hold a hook's output) is cut here, so that a whole error fits into one message.
constexpr std::size_t kMaxText = 1024;

constexpr std::array<std::string_view, 11> kNames = {
    "Proceed", "Cloned",    "HooksWanted",      "HooksDone", "Ready",     "Committed",
    "Start",   "Executing", "TrampolineFailed", "Failure",   "StartHooks"};

enum State : std::uint8_t {
  kBegun,
  kStageKnown,
  kInNamespaces,
  kHooksAsked,
  kHooksRan,
  kIsReady,
  kGo,
  kStartHooksRun,
  kExecs,
  kOver
};

struct Transition {
  State from;
  MessageType type;
  State to;
};

constexpr auto kTransitions = std::to_array<Transition>({
    {kBegun, MessageType::kProceed, kInNamespaces},
    {kInNamespaces, MessageType::kCloned, kStageKnown},
    {kStageKnown, MessageType::kProceed, kInNamespaces},
    {kInNamespaces, MessageType::kHooksWanted, kHooksAsked},
    {kHooksAsked, MessageType::kHooksDone, kHooksRan},
    {kInNamespaces, MessageType::kReady, kIsReady},
    {kHooksRan, MessageType::kReady, kIsReady},
    {kInNamespaces, MessageType::kExecuting, kExecs},
    {kIsReady, MessageType::kCommitted, kGo},
    {kGo, MessageType::kStartHooks, kStartHooksRun},
    {kStartHooksRun, MessageType::kExecuting, kExecs},
    {kGo, MessageType::kExecuting, kExecs},
});

void append_text(std::string& bytes, std::string_view text) {
  text = text.substr(0, kMaxText);
  const auto length = static_cast<std::uint32_t>(text.size());
  std::array<char, sizeof length> prefix{};
  std::memcpy(prefix.data(), &length, sizeof length);
  bytes.append(prefix.data(), prefix.size());
  bytes.append(text);
}

std::optional<std::string> take_text(std::string_view& bytes) {
  std::uint32_t length = 0;
  if (bytes.size() < sizeof length) {
    return std::nullopt;
  }
  std::memcpy(&length, bytes.data(), sizeof length);
  bytes.remove_prefix(sizeof length);
  if (bytes.size() < length) {
    return std::nullopt;
  }
  std::string text(bytes.substr(0, length));
  bytes.remove_prefix(length);
  return text;
}

}  // namespace

std::string_view message_name(MessageType type) {
  const auto index = static_cast<std::size_t>(type);
  return index < kNames.size() ? kNames.at(index) : "unknown";
}

Sequence::Sequence(Begin begin) : state_(begin == Begin::kLaunch ? kBegun : kIsReady) {}

Status Sequence::advance(MessageType type) {
  if (type == MessageType::kFailure || type == MessageType::kTrampolineFailed) {
    state_ = kOver;
    return {};
  }
  // A connection to the start socket says Start where a launch says Committed.
  const MessageType known = type == MessageType::kStart ? MessageType::kCommitted : type;
  for (const Transition& transition : kTransitions) {
    if (transition.from == state_ && transition.type == known) {
      state_ = transition.to;
      return {};
    }
  }
  return fail(ErrorKind::kInternal, "message {} came out of order (state {})", message_name(type), state_);
}

Status Channel::send(MessageType type, std::string_view payload, int fd) {
  TRY(sequence_.advance(type));
  std::string data(1, static_cast<char>(type));
  data.append(payload);
  if (data.size() > kMaxMessage) {
    return fail(ErrorKind::kInternal, "message {} is longer than {} bytes", message_name(type), kMaxMessage);
  }
  return sys::send_message(socket_.get(), data, std::span(&fd, fd >= 0 ? 1U : 0U), message_name(type));
}

void Channel::send_failure(const Error& error) {
  static_cast<void>(send(MessageType::kFailure, encode_error(error)));
}

Result<std::optional<Message>> Channel::receive() {
  auto result = sys::receive_message(socket_.get(), kMaxMessage, "channel");
  if (!result && result.error().is(ECONNRESET)) {
    // The other end died with something unread. The kernel says so once, and before what the other end has said.
    result = sys::receive_message(socket_.get(), kMaxMessage, "channel");
  }
  if (result && result->data.empty()) {
    return std::optional<Message>();
  }
  sys::ReceivedMessage received = TRY(std::move(result));
  Message message;
  message.type = static_cast<MessageType>(received.data.front());
  message.payload = received.data.substr(1);
  message.fds = std::move(received.fds);
  TRY(sequence_.advance(message.type));
  if (message.type == MessageType::kFailure) {
    return std::unexpected(decode_error(message.payload));
  }
  return std::optional<Message>(std::move(message));
}

std::string encode_error(const Error& error) {
  std::string bytes(1, static_cast<char>(error.kind()));
  append_text(bytes, std::to_string(error.errnum()));
  append_text(bytes, error.operation());
  append_text(bytes, error.hint());
  // The outermost contexts, as many as a message holds beside the rest.
  for (const std::string& context : error.contexts()) {
    if (bytes.size() + kMaxText + sizeof(std::uint32_t) >= kMaxMessage) {
      break;
    }
    append_text(bytes, context);
  }
  return bytes;
}

Error decode_error(std::string_view bytes) {
  Error unreadable(ErrorKind::kInternal, "the container's process reported an error that cannot be read");
  if (bytes.empty() || static_cast<std::uint8_t>(bytes.front()) > static_cast<std::uint8_t>(ErrorKind::kInternal)) {
    return unreadable;
  }
  const auto kind = static_cast<ErrorKind>(bytes.front());
  bytes.remove_prefix(1);
  const auto errnum = take_text(bytes);
  auto operation = take_text(bytes);
  auto hint = take_text(bytes);
  if (!errnum || !operation || !hint) {
    return unreadable;
  }
  Error error(kind, std::move(*operation));
  int number = 0;
  for (const char digit : *errnum) {
    if (digit < '0' || digit > '9' || number > 100'000) {
      return unreadable;
    }
    number = number * 10 + (digit - '0');
  }
  error.set_errnum(number);
  if (!hint->empty()) {
    error.add_hint(std::move(*hint));
  }
  std::vector<std::string> contexts;
  while (!bytes.empty()) {
    auto context = take_text(bytes);
    if (!context) {
      return unreadable;
    }
    contexts.push_back(std::move(*context));
  }
  for (auto context = contexts.rbegin(); context != contexts.rend(); ++context) {
    error.add_context(std::move(*context));
  }
  return error;
}

}  // namespace berth::channel
