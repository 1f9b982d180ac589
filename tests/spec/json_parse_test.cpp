#include "spec/json_parse.hpp"

#include <catch2/catch.hpp>

namespace berth::spec {
namespace {

std::string error_of(std::string_view text) {
  const Result<Value> value = parse_json(text);
  return value ? "" : value.error().message();
}

TEST_CASE("A JSON document is read into values") {
  const Value value = parse_json(R"({"a": [1, -2, 1.50, true, null, "x\u00e9"], "b": {}})").value();
  const auto& object = std::get<Object>(value.data);
  REQUIRE(object.size() == 2);
  CHECK(object[0].name == "a");
  const auto& array = std::get<Array>(object[0].value.data);
  REQUIRE(array.size() == 6);
  CHECK(std::get<std::uint64_t>(array[0].data) == 1);
  CHECK(std::get<std::int64_t>(array[1].data) == -2);
  CHECK(std::get<OtherNumber>(array[2].data).text == "1.50");
  CHECK(std::get<bool>(array[3].data));
  CHECK(array[4].is_null());
  CHECK(std::get<std::string>(array[5].data) == "x\xc3\xa9");
  CHECK(std::get<Object>(object[1].value.data).empty());
}

TEST_CASE("Numbers keep their value up to 64 bits and their text beyond") {
  CHECK(std::get<std::uint64_t>(parse_json("18446744073709551615").value().data) == UINT64_MAX);
  CHECK(std::get<std::int64_t>(parse_json("-9223372036854775808").value().data) == INT64_MIN);
  CHECK(std::get<OtherNumber>(parse_json("18446744073709551616").value().data).text == "18446744073709551616");
  CHECK(std::get<OtherNumber>(parse_json("1e3").value().data).text == "1e3");
  CHECK(std::get<OtherNumber>(parse_json("1.0").value().data).text == "1.0");
}

TEST_CASE("Broken JSON is told with line, column, pointer and reason") {
  struct Case {
    std::string_view text;
    std::string_view expected;
  };
  const Case cases[] = {
      {"", "line 1, column 1: the file is empty"},
      {" \n ", "line 1, column 1: the file is empty"},
      {"{", "line 1, column 1: syntax error"},
      {"{]", "line 1, column 2: syntax error while parsing object key - unexpected ']'; expected string literal"},
      {"{\"a\":\n  [1, 2,,]}", "line 2, column 9, at /a/1: syntax error"},
      {"{\"a/b~\": tru", "at /a~1b~0: syntax error"},
      {"{\"a\": 1} x", "line 1, column 10: syntax error"},
      {"{\"a\": 1e999}", "line 1, column 11, at /a: number overflow"},
      {"{\"a\": \"\xff\"}",
       "line 1, column 8, at /a: syntax error while parsing value - invalid string: ill-formed UTF-8"},
      {"{\"a\": \"x", "missing closing quote"},
      {"{\"a\": 1}\n\n{\"b\": 2}", "line 3, column 1"},
  };
  for (const Case& entry : cases) {
    INFO(entry.text);
    CHECK_THAT(error_of(entry.text),
               Catch::StartsWith(std::string(entry.expected)) || Catch::Contains(std::string(entry.expected)));
    CHECK(parse_json(entry.text).error().kind() == ErrorKind::kConfig);
    CHECK(error_of(entry.text).find('\n') == std::string::npos);
  }
}

TEST_CASE("A NUL byte does not end the document in silence") {
  CHECK_THAT(error_of(std::string_view("{}\0", 3)), Catch::Equals("line 1, column 3: a NUL byte"));
  CHECK_THAT(error_of(std::string_view("{\n\"a\0\":1}", 9)), Catch::Equals("line 2, column 3: a NUL byte"));
}

TEST_CASE("A token in an error is cut, and holds no bytes that are not UTF-8") {
  CHECK(error_of("[" + std::string(100'000, 'x')).size() < 300);
  CHECK(error_of("[\"" + std::string(100'000, 'x')).size() < 300);
  CHECK(error_of("[\"\xff\xfe\"]").find('\xff') == std::string::npos);
}

TEST_CASE("A name that stands twice in an object is refused") {
  CHECK_THAT(error_of(R"({"a": {"b": 1, "c": 2, "b": 3}})"),
             Catch::Equals("/a/b: got the property twice, expected it once"));
  CHECK_THAT(error_of(R"([0, {"x": 1, "x": 1}])"), Catch::StartsWith("/1/x: got the property twice"));
  std::string large = "{";
  for (int number = 0; number < 100; ++number) {
    large += "\"n" + std::to_string(number) + "\": 0, ";
  }
  CHECK(error_of(large + "\"last\": 0}").empty());
  CHECK_THAT(error_of(large + "\"n42\": 0}"), Catch::StartsWith("/n42: got the property twice"));
}

TEST_CASE("Nesting is bounded") {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(error_of(nested(64)).empty());
  CHECK_THAT(error_of(nested(65)), Catch::Contains("more than 64 levels of nesting"));
  CHECK_THAT(error_of(nested(2'000'000)), Catch::Contains("more than 64 levels of nesting"));
  CHECK(error_of(nested(2'000'000)).size() < 200);
}

}  // namespace
}  // namespace berth::spec
