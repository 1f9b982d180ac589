#include "cgroup/systemd/bus_message.hpp"

#include <array>
#include <bit>
#include <cstring>
#include <type_traits>

namespace berth::cgroup::systemd {
namespace {

static_assert(std::endian::native == std::endian::little, "the messages below are little-endian");

constexpr char kLittleEndian = 'l';
constexpr char kBigEndian = 'B';
constexpr char kProtocolVersion = 1;
// "The maximum length of a message, including header, header alignment padding, and body is 2 to the 27th power"; the
// bus lets no longer one pass.
constexpr std::size_t kMaxMessage = 1UL << 27;
constexpr std::size_t kStructAlignment = 8;
// Where the header has the lengths of the body and of its own fields.
constexpr std::size_t kBodyAt = 4;
constexpr std::size_t kFieldsAt = 12;

// Codes of the header's fields.
enum class Field : std::uint8_t {
  kPath = 1,
  kInterface = 2,
  kMember = 3,
  kErrorName = 4,
  kReplySerial = 5,
  kDestination = 6,
  kSender = 7,
  kSignature = 8,
};

// In the order of BusValue.
constexpr std::array<std::string_view, std::variant_size_v<BusValue>> kSignatures{
    "b", "y", "n", "q", "i", "u", "x", "t", "d", "s", "as", "ay", "au", "a(ss)"};

void align(std::string& bytes, std::size_t alignment) {
  bytes.resize((bytes.size() + alignment - 1) / alignment * alignment, '\0');
}

template <class T>
requires std::is_arithmetic_v<T>
void put(std::string& bytes, T value) {
  align(bytes, sizeof value);
  std::array<char, sizeof value> raw{};
  std::memcpy(raw.data(), &value, sizeof value);
  bytes.append(raw.data(), raw.size());
}

void put(std::string& bytes, bool value) {
  put(bytes, static_cast<std::uint32_t>(value));
}

void put(std::string& bytes, std::string_view text) {
  put(bytes, static_cast<std::uint32_t>(text.size()));
  bytes.append(text);
  bytes.push_back('\0');
}

void put(std::string& bytes, const std::string& text) {
  put(bytes, std::string_view(text));
}

void put_signature(std::string& bytes, std::string_view signature) {
  bytes.push_back(static_cast<char>(signature.size()));
  bytes.append(signature);
  bytes.push_back('\0');
}

// The length of an array counts its elements without the padding before the first.
template <class Elements>
void put_array(std::string& bytes, std::size_t alignment, const Elements& put_elements) {
  put(bytes, std::uint32_t{0});
  const std::size_t length_at = bytes.size() - sizeof(std::uint32_t);
  align(bytes, alignment);
  const std::size_t start = bytes.size();
  put_elements();
  const auto length = static_cast<std::uint32_t>(bytes.size() - start);
  std::memcpy(bytes.data() + length_at, &length, sizeof length);
}

void put(std::string& bytes, const std::pair<std::string, std::string>& pair) {
  align(bytes, kStructAlignment);
  put(bytes, pair.first);
  put(bytes, pair.second);
}

template <class T>
void put(std::string& bytes, const std::vector<T>& list) {
  std::size_t alignment = kStructAlignment;
  if constexpr (std::is_arithmetic_v<T>) {
    alignment = sizeof(T);
  } else if constexpr (std::is_same_v<T, std::string>) {
    alignment = sizeof(std::uint32_t);  // of its length
  }
  put_array(bytes, alignment, [&] {
    for (const T& element : list) {
      put(bytes, element);
    }
  });
}

void put_field(std::string& bytes, Field field, std::string_view signature, std::string_view text) {
  align(bytes, kStructAlignment);
  bytes.push_back(static_cast<char>(field));
  put_signature(bytes, signature);
  if (signature == "g") {
    put_signature(bytes, text);
  } else {
    put(bytes, text);
  }
}

// Reads from the front; every length is checked against what is there.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  void align(std::size_t alignment) { at_ = (at_ + alignment - 1) / alignment * alignment; }
  [[nodiscard]] bool at_end() const { return at_ >= bytes_.size(); }

  Result<std::string_view> take(std::size_t count) {
    if (at_ > bytes_.size() || bytes_.size() - at_ < count) {
      return fail(ErrorKind::kSystem, "a message of the bus is shorter than it says");
    }
    at_ += count;
    return bytes_.substr(at_ - count, count);
  }
  Result<std::uint32_t> number() {
    align(sizeof(std::uint32_t));
    std::uint32_t value = 0;
    std::memcpy(&value, TRY(take(sizeof value)).data(), sizeof value);
    return value;
  }
  Result<std::uint8_t> byte() { return static_cast<std::uint8_t>(TRY(take(1)).front()); }
  Result<std::string> text() {
    const std::uint32_t length = TRY(number());
    std::string value(TRY(take(length)));
    TRY(take(1));  // its NUL
    return value;
  }
  Result<std::string> signature() {
    const std::uint8_t length = TRY(byte());
    std::string value(TRY(take(length)));
    TRY(take(1));
    return value;
  }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

// Of the header, at this offset.
std::uint32_t length_at(std::string_view bytes, std::size_t offset) {
  std::uint32_t length = 0;
  std::memcpy(&length, bytes.data() + offset, sizeof length);
  return bytes[0] == kBigEndian ? std::byteswap(length) : length;
}

Status read_field(Reader& reader, BusMessage& message) {
  reader.align(kStructAlignment);
  const auto field = static_cast<Field>(TRY(reader.byte()));
  const std::string signature = TRY(reader.signature());
  if (signature == "u") {
    const std::uint32_t number = TRY(reader.number());
    message.reply_serial = field == Field::kReplySerial ? number : message.reply_serial;
    return {};
  }
  std::string text;
  if (signature == "g") {
    text = TRY(reader.signature());
  } else if (signature == "s" || signature == "o") {
    text = TRY(reader.text());
  } else {
    return fail(ErrorKind::kSystem, "a message of the bus has a header field of type {}", signature);
  }
  if (field == Field::kSender) {
    message.sender = std::move(text);
  } else if (field == Field::kMember) {
    message.member = std::move(text);
  } else if (field == Field::kErrorName) {
    message.error_name = std::move(text);
  } else if (field == Field::kSignature) {
    message.signature = std::move(text);
  }
  return {};
}

}  // namespace

BusArguments& BusArguments::add(bool value) {
  signature_ += "b";
  put(bytes_, value);
  return *this;
}

BusArguments& BusArguments::add(std::uint32_t number) {
  signature_ += "u";
  put(bytes_, number);
  return *this;
}

BusArguments& BusArguments::add(std::string_view text) {
  signature_ += "s";
  put(bytes_, text);
  return *this;
}

BusArguments& BusArguments::add(const std::vector<std::uint32_t>& numbers) {
  signature_ += "au";
  put(bytes_, numbers);
  return *this;
}

BusArguments& BusArguments::add(const std::vector<UnitProperty>& properties) {
  signature_ += "a(sv)";
  put_array(bytes_, kStructAlignment, [&] {
    for (const UnitProperty& property : properties) {
      align(bytes_, kStructAlignment);
      put(bytes_, property.name);
      put_signature(bytes_, kSignatures.at(property.value.index()));
      std::visit([&](const auto& value) { put(bytes_, value); }, property.value);
    }
  });
  return *this;
}

BusArguments& BusArguments::add_empty(std::string_view signature) {
  signature_ += signature;
  put_array(bytes_, kStructAlignment, [] {});
  return *this;
}

std::string method_call(std::uint32_t serial, const BusCall& call, const BusArguments& arguments) {
  std::string bytes{kLittleEndian, static_cast<char>(BusMessageType::kCall), '\0', kProtocolVersion};
  put(bytes, static_cast<std::uint32_t>(arguments.bytes().size()));
  put(bytes, serial);
  put_array(bytes, kStructAlignment, [&] {
    put_field(bytes, Field::kPath, "o", call.path);
    put_field(bytes, Field::kInterface, "s", call.interface);
    put_field(bytes, Field::kMember, "s", call.member);
    put_field(bytes, Field::kDestination, "s", call.destination);
    if (!arguments.signature().empty()) {
      put_field(bytes, Field::kSignature, "g", arguments.signature());
    }
  });
  align(bytes, kStructAlignment);
  return bytes + arguments.bytes();
}

Result<std::size_t> message_length(std::string_view bytes) {
  if (bytes.size() < kLengthBytes) {
    return 0;
  }
  const std::size_t header =
      (kLengthBytes + length_at(bytes, kFieldsAt) + kStructAlignment - 1) / kStructAlignment * kStructAlignment;
  const std::size_t length = header + length_at(bytes, kBodyAt);
  const bool has_byte_order = bytes[0] == kLittleEndian || bytes[0] == kBigEndian;
  if (!has_byte_order || bytes[3] != kProtocolVersion || length > kMaxMessage) {
    return fail(ErrorKind::kSystem, "what the bus sent is no message of D-Bus");
  }
  return length;
}

Result<BusMessage> parse_message(std::string_view bytes) {
  BusMessage message;
  const std::size_t length = TRY(message_length(bytes));
  if (length == 0 || bytes.size() != length) {
    return fail(ErrorKind::kSystem, "a message of the bus is shorter than it says");
  }
  if (bytes[0] != kLittleEndian) {
    return fail(ErrorKind::kSystem, "a message of the bus is in another byte order than this machine's");
  }
  message.type = static_cast<BusMessageType>(bytes[1]);
  Reader reader(bytes.substr(0, kLengthBytes + length_at(bytes, kFieldsAt)));
  TRY(reader.take(kLengthBytes));
  while (!reader.at_end()) {
    TRY(read_field(reader, message));
  }
  message.body = bytes.substr(length - length_at(bytes, kBodyAt));
  return message;
}

Result<std::vector<std::string>> texts_of(const BusMessage& message) {
  std::vector<std::string> texts;
  Reader reader(message.body);
  std::string signature = message.signature;
  for (std::size_t at = 0; at < signature.size(); ++at) {
    switch (signature[at]) {
      case 's':
      case 'o':
        texts.push_back(TRY(reader.text()));
        break;
      case 'g':
        texts.push_back(TRY(reader.signature()));
        break;
      case 'a': {
        ++at;
        if (at == signature.size() || signature[at] != 'y') {
          return texts;
        }
        const std::uint32_t length = TRY(reader.number());
        texts.emplace_back(TRY(reader.take(length)));
        break;
      }
      case 'u':
      case 'b':
        TRY(reader.number());
        break;
      case 'v':
        signature.replace(at, 1, "(" + TRY(reader.signature()) + ")");
        break;
      case '(':
      case ')':
        break;
      default:
        return texts;
    }
  }
  return texts;
}

Result<std::string> first_text_of(const BusMessage& message) {
  std::vector<std::string> texts = TRY(texts_of(message));
  if (texts.empty()) {
    return fail(ErrorKind::kSystem, "a message of the bus has no text where one belongs");
  }
  return std::move(texts.front());
}

}  // namespace berth::cgroup::systemd
