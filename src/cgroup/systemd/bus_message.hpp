// Messages of D-Bus in bytes (D-Bus Specification, "Message Protocol"). Pure.
#pragma once

#include <berth/base/error.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace berth::cgroup::systemd {

/// What a variant of a unit's property can hold, each with the type of the same signature: b y n q i u x t d s as ay
/// au a(ss).
using BusValue =
    std::variant<bool, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t, std::uint32_t, std::int64_t,
                 std::uint64_t, double, std::string, std::vector<std::string>, std::vector<std::uint8_t>,
                 std::vector<std::uint32_t>, std::vector<std::pair<std::string, std::string>>>;

/// One property of a unit, by its name on the bus: {"MemoryMax", std::uint64_t{1048576}}.
struct UnitProperty {
  std::string name;
  BusValue value;
  friend bool operator==(const UnitProperty&, const UnitProperty&) = default;
};

/// The arguments of a call, in their order.
class BusArguments {
 public:
  BusArguments& add(bool value);
  BusArguments& add(std::uint32_t number);
  BusArguments& add(std::string_view text);
  BusArguments& add(const std::string& text) { return add(std::string_view(text)); }
  BusArguments& add(const char* text) { return add(std::string_view(text)); }
  BusArguments& add(const std::vector<std::uint32_t>& numbers);
  /// a(sv)
  BusArguments& add(const std::vector<UnitProperty>& properties);
  /// The empty array of this signature, whose elements are structures.
  BusArguments& add_empty(std::string_view signature);

  [[nodiscard]] const std::string& signature() const { return signature_; }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string signature_;
  std::string bytes_;
};

/// Whom a call is for.
struct BusCall {
  std::string destination;
  std::string path;
  std::string interface;
  std::string member;
};

/// The bytes of a METHOD_CALL.
std::string method_call(std::uint32_t serial, const BusCall& call, const BusArguments& arguments);

enum class BusMessageType : std::uint8_t { kCall = 1, kReturn = 2, kError = 3, kSignal = 4 };

/// One message as it came.
struct BusMessage {
  BusMessageType type = BusMessageType::kCall;
  std::uint32_t reply_serial = 0;  ///< of the call that this answers; 0: of none
  std::string sender;              ///< its name on the bus, as the bus says it
  std::string member;              ///< of a signal
  std::string error_name;
  std::string signature;
  std::string body;
};

/// What the first bytes of a message say about its length, in the byte order that they name; 0 if they are too few. An
/// error for what is no message: after it nobody knows where the next one begins.
Result<std::size_t> message_length(std::string_view bytes);
inline constexpr std::size_t kLengthBytes = 16;  ///< that message_length() needs

/// Reads one whole message. An error for one that systemd on the same machine does not send, in the other byte order
/// for example.
Result<BusMessage> parse_message(std::string_view bytes);

/// The texts (s, o, g, and ay as it stands) among the first arguments of a message, in their order; numbers (u, b)
/// between them are passed over, and a variant counts as what it holds. Stops at any other type.
Result<std::vector<std::string>> texts_of(const BusMessage& message);
/// The first of them; an error where there is none.
Result<std::string> first_text_of(const BusMessage& message);

}  // namespace berth::cgroup::systemd
