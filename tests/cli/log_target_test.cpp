#include "cli/log_target.hpp"

#include <berth/sys/file.hpp>
#include <berth/sys/socket.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>

#include "temporary_tree.hpp"

using namespace berth;
using namespace berth::cli;
using namespace std::string_literals;

TEST_CASE("The journal gets fields, one a line") {
  CHECK(journal_datagram(log::Level::kError, "it failed", "web", "box-1") ==
        "PRIORITY=3\nSYSLOG_IDENTIFIER=web\nID=box-1\nMESSAGE=it failed\n");
  CHECK(journal_datagram(log::Level::kDebug, "a=b", "web", "") == "PRIORITY=7\nSYSLOG_IDENTIFIER=web\nMESSAGE=a=b\n");
}

TEST_CASE("What would end a field of the journal has its length in front") {
  CHECK(journal_datagram(log::Level::kWarning, "one\nPRIORITY=0", "web", "") ==
        "PRIORITY=4\nSYSLOG_IDENTIFIER=web\nMESSAGE\n\x0e\0\0\0\0\0\0\0one\nPRIORITY=0\n"s);
}

TEST_CASE("Syslog gets a line of RFC 3164") {
  struct tm time {};
  time.tm_mon = 10;
  time.tm_mday = 3;
  time.tm_hour = 4;
  time.tm_min = 5;
  time.tm_sec = 6;
  CHECK(syslog_datagram(log::Level::kError, "it failed", "web", 42, time) == "<11>Nov  3 04:05:06 web[42]: it failed");
  CHECK(syslog_datagram(log::Level::kInfo, "on", "web", 42, time).starts_with("<14>"));
  CHECK(syslog_datagram(log::Level::kInfo, std::string(100'000, 'x'), "web", 42, time).size() == 8000);
}

namespace {

struct Unlogged {
  ~Unlogged() { log::configure({}); }
};

}  // namespace

TEST_CASE("A file is appended to, by its path alone and behind file:") {
  const Unlogged afterwards;
  const test::TemporaryTree tree;
  const std::string path = tree.at("a:b").string();
  for (const std::string& target : {path, "file:" + path}) {
    const auto opened = open_log({.target = target}, "box", 100);
    REQUIRE(opened.has_value());
    CHECK(opened->get() >= 100);
    CHECK(log::fd() == opened->get());
    CHECK((::fcntl(opened->get(), F_GETFD) & FD_CLOEXEC) != 0);
    log::warning("said once");
  }
  const std::string text = sys::read_file(AT_FDCWD, path, 10'000).value();
  CHECK(text.find("said once", text.find("said once") + 1) != std::string::npos);
}

TEST_CASE("Without a target records go to stderr") {
  const Unlogged afterwards;
  const auto opened = open_log({}, "box", 3);
  REQUIRE(opened.has_value());
  CHECK_FALSE(opened->valid());
  CHECK(log::fd() == -1);
}

TEST_CASE("A log that cannot be opened names itself") {
  const Unlogged afterwards;
  CHECK(open_log({.target = "/no/such/log"}, "", 3).error().message() ==
        "--log /no/such/log: open(/no/such/log): No such file or directory");
  CHECK(open_log({.target = "file:"}, "", 3).error().message().starts_with("--log file:: open()"));
}

TEST_CASE("A service gets the bare text, or the record as JSON") {
  const Unlogged afterwards;
  std::string seen;
  log::configure({.send = [&seen](log::Level, std::string_view text) { seen = text; }});
  log::warning("a \"word\"");
  CHECK(seen == "a \"word\"");
  log::configure({.format = log::Format::kJson, .send = [&seen](log::Level, std::string_view text) { seen = text; }});
  log::warning("a \"word\"");
  CHECK(seen.starts_with(R"({"level":"warning","msg":"a \"word\"","time":")"));
  CHECK(seen.ends_with("\"}"));
}
