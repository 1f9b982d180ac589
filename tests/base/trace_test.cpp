#include <berth/base/trace.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <string>

using namespace berth;

namespace {

std::string content(int fd) {
  std::array<char, 8192> bytes{};
  const ssize_t length = ::pread(fd, bytes.data(), bytes.size(), 0);
  return {bytes.data(), length > 0 ? static_cast<std::size_t>(length) : 0};
}

}  // namespace

TEST_CASE("a trace is an array of events, the last of which closes it") {
  const int fd = ::memfd_create("trace", MFD_CLOEXEC);
  REQUIRE(fd >= 0);
  REQUIRE(::fcntl(fd, F_SETFL, O_APPEND) == 0);
  trace::start(fd);
  CHECK(trace::fd() == fd);
  { const trace::Span span("mount", "/a\"b"); }
  trace::become(trace::Track::kContainer);
  { const trace::Span span("devices"); }
  trace::become(trace::Track::kCommand);
  trace::finish();
  const std::string text = content(fd);
  CHECK(text.starts_with("[\n{"));
  CHECK(text.ends_with("}\n]\n"));
  CHECK(text.find(R"({"name":"mount /a\"b","ph":"X","ts":)") != std::string::npos);
  CHECK(text.find(R"("pid":1,"tid":1},)") != std::string::npos);
  const std::size_t devices = text.find(R"({"name":"devices",)");
  REQUIRE(devices != std::string::npos);
  CHECK(text.find(R"("pid":3,)", devices) < text.find('\n', devices));
  ::close(fd);
}

TEST_CASE("nothing is written when nothing is traced") {
  CHECK(trace::fd() == -1);
  const int fd = ::memfd_create("trace", MFD_CLOEXEC);
  REQUIRE(fd >= 0);
  trace::start(fd);
  trace::stop();
  const std::string before = content(fd);
  { const trace::Span span("x"); }
  trace::finish();
  CHECK(content(fd) == before);
  ::close(fd);
}
