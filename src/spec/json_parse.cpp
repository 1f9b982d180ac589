#include "spec/json_parse.hpp"

#include <berth/spec/problems.hpp>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace berth::spec {
namespace {

// A valid config.json is nested eight deep; the bound keeps the recursion of its readers small.
constexpr std::size_t kMaxDepth = 64;
// Objects larger than this are checked for a name that stands twice by sorting.
constexpr std::size_t kSmallObject = 32;
// Most objects have more than one or two members, for which a vector would be moved again and again.
constexpr std::size_t kUsualMembers = 4;

// Line and column of the byte before `end`, both from 1.
std::pair<std::size_t, std::size_t> line_and_column(std::string_view text, std::size_t end) {
  const std::string_view before = text.substr(0, end);
  const auto line = static_cast<std::size_t>(std::ranges::count(before, '\n')) + 1;
  const std::size_t newline = before.rfind('\n');
  const std::size_t column = newline == std::string_view::npos ? before.size() : before.size() - newline - 1;
  return {line, std::max<std::size_t>(column, 1)};
}

const std::string* find_duplicate(const Object& object) {
  if (object.size() <= kSmallObject) {
    for (auto member = object.begin(); member != object.end(); ++member) {
      const auto earlier =
          std::find_if(object.begin(), member, [&](const Member& other) { return other.name == member->name; });
      if (earlier != member) {
        return &member->name;
      }
    }
    return nullptr;
  }
  std::vector<const std::string*> names;
  names.reserve(object.size());
  for (const Member& member : object) {
    names.push_back(&member.name);
  }
  std::ranges::sort(names, [](const std::string* left, const std::string* right) { return *left < *right; });
  const auto twice = std::ranges::adjacent_find(
      names, [](const std::string* left, const std::string* right) { return *left == *right; });
  return twice == names.end() ? nullptr : *twice;
}

// Receives the parser's events and builds the document. Returning false from an event ends the parse.
class Builder {
 public:
  explicit Builder(std::string_view text) : text_(text) {}

  bool null() { return add(Value{}); }
  bool boolean(bool value) { return add(Value{value}); }
  bool number_integer(std::int64_t value) { return add(Value{value}); }
  bool number_unsigned(std::uint64_t value) { return add(Value{value}); }
  bool number_float(double /*value*/, const std::string& written) { return add(Value{OtherNumber{written}}); }
  bool string(std::string& value) { return add(Value{value}); }
  bool binary(std::vector<std::uint8_t>& /*value*/) { return false; }  // not in JSON text
  bool start_object(std::size_t /*size*/) { return open(Value{Object{}}); }
  bool start_array(std::size_t /*size*/) { return open(Value{Array{}}); }
  bool end_array() {
    containers_.pop_back();
    return true;
  }
  bool key(std::string& name) {
    auto& object = std::get<Object>(containers_.back()->data);
    if (object.empty()) {
      object.reserve(kUsualMembers);
    }
    object.push_back({name, Value{}, false});
    return true;
  }
  bool end_object() {
    const std::string* twice = find_duplicate(std::get<Object>(containers_.back()->data));
    if (twice != nullptr) {
      Problems problems;
      problems.add(pointer(containers_.size() - 1) + pointer_step(*twice), "the property twice", "it once");
      error_ = problems.error();
      return false;
    }
    containers_.pop_back();
    return true;
  }
  bool parse_error(std::size_t position, const std::string& last_token, const nlohmann::detail::exception& exception) {
    std::string what = exception.what();
    // "[json.exception.parse_error.101] parse error at line 1, column 2: WHAT; last read: 'TOKEN'"
    if (const std::size_t place = what.find(", column "); place != std::string::npos) {
      const std::size_t start = what.find(": ", place);
      what.erase(0, start == std::string::npos ? 0 : start + 2);
    } else if (const std::size_t start = what.find("] "); start != std::string::npos) {
      what.erase(0, start + 2);
    }
    if (const std::size_t token = what.find("last read: '"); token != std::string::npos) {
      const std::size_t end = what.find(last_token, token);
      const std::string tail = end == std::string::npos ? "" : what.substr(end + last_token.size());
      // Bytes that are no UTF-8 have no place in a message.
      const bool readable = what.find("ill-formed") == std::string::npos;
      what.erase(readable ? token : std::min(token, what.find("; last read")));
      if (readable) {
        what += "last read: '" + shortened(last_token, 24) + tail;
      }
    }
    fail_at(position, shortened(what, 240));
    return false;
  }

  [[nodiscard]] Value& document() { return document_; }
  [[nodiscard]] std::optional<Error>& error() { return error_; }

 private:
  // The place of the next value: the last member's of an object, a new element's of an array, or the document itself.
  Value& place(Value&& value) {
    if (containers_.empty()) {
      document_ = std::move(value);
      return document_;
    }
    if (auto* array = std::get_if<Array>(&containers_.back()->data)) {
      return array->emplace_back(std::move(value));
    }
    Value& member = std::get<Object>(containers_.back()->data).back().value;
    member = std::move(value);
    return member;
  }
  bool add(Value&& value) {
    place(std::move(value));
    return true;
  }
  // A container's address stays: nothing is added to the one around it before it is closed.
  bool open(Value&& value) {
    containers_.push_back(&place(std::move(value)));
    if (containers_.size() > kMaxDepth) {
      Problems problems;
      problems.add(shortened(pointer(kMaxDepth)), fmt::format("more than {} levels of nesting", kMaxDepth), "fewer");
      error_ = problems.error();
      return false;
    }
    return true;
  }
  // The pointer of the value that the first `depth` open containers lead to.
  [[nodiscard]] std::string pointer(std::size_t depth) const {
    std::string text;
    for (std::size_t level = 0; level < depth; ++level) {
      if (const auto* array = std::get_if<Array>(&containers_[level]->data)) {
        text += fmt::format("/{}", array->empty() ? 0 : array->size() - 1);
      } else if (const auto& object = std::get<Object>(containers_[level]->data); !object.empty()) {
        text += pointer_step(object.back().name);
      }
    }
    return text;
  }
  void fail_at(std::size_t position, std::string_view what) {
    const auto [line, column] = line_and_column(text_, std::min(position, text_.size()));
    const std::string reached = shortened(pointer(containers_.size()), 120);
    error_ = Error(ErrorKind::kConfig, fmt::format("line {}, column {}{}{}: {}", line, column,
                                                   reached.empty() ? "" : ", at ", reached, what));
  }

  std::string_view text_;
  Value document_;
  std::vector<Value*> containers_;  // the open ones, the outermost first
  std::optional<Error> error_;
};

}  // namespace

Result<Value> parse_json(std::string_view text) {
  // The parser takes a NUL byte for the end of the text and would not see what follows.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    const auto [line, column] = line_and_column(text, nul + 1);
    return fail(ErrorKind::kConfig, "line {}, column {}: a NUL byte", line, column);
  }
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return fail(ErrorKind::kConfig, "line 1, column 1: the file is empty, expected a JSON object");
  }
  Builder builder(text);
  if (nlohmann::json::sax_parse(text, &builder)) {
    return std::move(builder.document());
  }
  return std::unexpected(
      std::move(builder.error()).value_or(Error(ErrorKind::kInternal, "the JSON parser stopped without a reason")));
}

}  // namespace berth::spec
