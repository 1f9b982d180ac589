#include <berth/base/log.hpp>

#include <catch2/catch.hpp>

using namespace berth::log;

TEST_CASE("a JSON record has the keys and forms that engines read") {
  CHECK(format_record(Format::kJson, Level::kError, "no \"x\"\n", 1'700'000'000'000'000'005) ==
        "{\"level\":\"error\",\"msg\":\"no \\\"x\\\"\\u000a\",\"time\":\"2023-11-14T22:13:20.000000005Z\"}\n");
}

TEST_CASE("bytes that are not UTF-8 do not break the JSON") {
  CHECK(json_escape("a\xff\xc3(\xed\xa0\x80z\xc3\xa9") ==
        "a\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\xc3\xa9");
}

TEST_CASE("a log service gets one line, whatever is in the message") {
  std::string sent;
  configure({.fd = -1, .format = Format::kText, .level = Level::kInfo, .send = [&sent](Level, std::string_view text) {
               sent += text;
             }});
  write(Level::kError, "a\nb\x1b[2J");
  configure({});
  CHECK(sent == "a\\x0ab\\x1b[2J");
}

TEST_CASE("levels below the configured one are dropped") {
  configure({.fd = -1, .format = Format::kText, .level = Level::kWarning});
  CHECK_FALSE(enabled(Level::kInfo));
  CHECK(enabled(Level::kWarning));
  CHECK(enabled(Level::kError));
}
