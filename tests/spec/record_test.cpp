#include <berth/spec/record.hpp>

#include <catch2/catch.hpp>
#include <random>

namespace berth::spec {
namespace {

Record example() {
  Record record;
  record.id = "web";
  record.bundle = "/b";
  record.rootfs = "/b/root fs";
  record.boot_id = "8f3c";
  record.pid = 4242;
  record.start_time = UINT64_MAX;
  record.created = "2026-11-20T19:34:00Z";
  record.owner = 1000;
  record.committed = true;
  record.no_new_keyring = true;
  record.cgroup = {"cgroupfs", "/berth/web", {{"", "/sys/fs/cgroup/berth/web"}, {"memory", "/sys/fs/cgroup/memory/x"}}};
  record.cgroup.inode = UINT64_MAX;
  record.poststart = {{"/h", {"h", "\"quoted\""}, {"A=b"}, std::chrono::seconds(5)}};
  record.poststop = {{"/p", {}, {}, std::nullopt}, {"/q", {}, {}, std::nullopt}};
  record.annotations = {{"a/b", "\xc3\xa9\n"}};
  record.rdt_directories = {"/sys/fs/resctrl/web"};
  record.seccomp_listener_path = "/run/agent.sock";
  record.seccomp_listener_metadata = "m";
  return record;
}

// Replaces one piece of the example's text.
std::string changed(const std::string& from, const std::string& to) {
  std::string text = record_json(example());
  const std::size_t place = text.find(from);
  REQUIRE(place != std::string::npos);
  return text.replace(place, from.size(), to);
}

std::string error_of(const std::string& text) {
  const Result<Record> record = parse_record(text);
  if (record) {
    return "";
  }
  CHECK(record.error().kind() == ErrorKind::kState);
  return record.error().message();
}

TEST_CASE("A record is read as it was written") {
  const Record before = example();
  const Record after = parse_record(record_json(before)).value();
  CHECK(after.id == before.id);
  CHECK(after.bundle == before.bundle);
  CHECK(after.rootfs == before.rootfs);
  CHECK(after.boot_id == before.boot_id);
  CHECK(after.pid == before.pid);
  CHECK(after.start_time == before.start_time);
  CHECK(after.created == before.created);
  CHECK(after.owner == before.owner);
  CHECK(after.committed);
  CHECK(after.no_new_keyring);
  CHECK(after.cgroup == before.cgroup);
  REQUIRE(after.poststart.size() == 1);
  CHECK(after.poststart[0].path == "/h");
  CHECK(after.poststart[0].args == before.poststart[0].args);
  CHECK(after.poststart[0].env == before.poststart[0].env);
  CHECK(after.poststart[0].timeout == std::chrono::seconds(5));
  REQUIRE(after.poststop.size() == 2);
  CHECK_FALSE(after.poststop[1].timeout.has_value());
  CHECK(after.annotations == before.annotations);
  CHECK(record_json(after) == record_json(before));
}

TEST_CASE("What a container does not have is not in its record, and may be there empty") {
  Record before;
  before.bundle = before.rootfs = "/b";
  std::string text = record_json(before);
  for (const char* name : {"noNewKeyring", "poststart", "poststop", "annotations", "rdtDirectories", "seccomp"}) {
    INFO(name);
    CHECK(text.find(name) == std::string::npos);
  }
  CHECK(record_json(parse_record(text).value()) == text);
  // As programs before this one wrote it.
  text.insert(text.rfind('}'), R"(,"started":false,"noNewKeyring":false,"poststart":[],"poststop":[],"annotations":{},)"
                               R"("rdtDirectories":[],"seccompListenerPath":"","seccompListenerMetadata":"")");
  CHECK(record_json(parse_record(text).value()) == record_json(before));
}

TEST_CASE("A record cut at any byte is refused") {
  const std::string text = record_json(example());
  CHECK_THAT(error_of(text.substr(0, text.size() - 1)), Catch::StartsWith("the record is cut short"));
  for (std::size_t size = 0; size + 1 < text.size(); ++size) {  // the last byte is the newline
    INFO(size);
    CHECK_FALSE(error_of(text.substr(0, size)).empty());
    CHECK_FALSE(error_of(text.substr(0, size) + '\n').empty());
  }
}

TEST_CASE("A record with foreign or hostile content is refused, with the place") {
  CHECK_THAT(error_of(changed("\"version\":1", "\"version\":2")), Catch::StartsWith("/version: got 2"));
  CHECK_THAT(error_of(changed("\"id\":\"web\",", "")), Catch::StartsWith("/id: got nothing"));
  CHECK_THAT(error_of(changed("\"pid\":4242", "\"pid\":-1")), Catch::StartsWith("/pid: got -1"));
  CHECK_THAT(error_of(changed("\"pid\":4242", "\"pid\":4294967297")), Catch::StartsWith("/pid: got 4294967297"));
  CHECK_THAT(error_of(changed("\"pid\":4242", "\"pid\":\"4242\"")), Catch::StartsWith("/pid: got \"4242\""));
  CHECK_THAT(error_of(changed("\"committed\":true", "\"committed\":1")), Catch::StartsWith("/committed: got 1"));
  CHECK_THAT(error_of(changed("\"/b\"", "\"b\"")), Catch::StartsWith("/bundle: got"));
  CHECK_THAT(error_of(changed("\"/sys/fs/cgroup/memory/x\"", "\"../x\"")),
             Catch::StartsWith("/cgroup/directories/1/path: got"));
  CHECK_THAT(error_of(changed("\"poststop\":[", "\"poststop\":[7,")), Catch::StartsWith("/poststop/0: got 7"));
  CHECK_THAT(error_of(changed("\"committed\":true", "\"committed\":true,\"committed\":false")),
             Catch::StartsWith("/committed: got the property twice"));
  CHECK_THAT(error_of(std::string(4096, '\0') + '\n'), Catch::Contains("NUL"));
  CHECK_THAT(error_of("\n"), Catch::Contains("empty"));
  CHECK_THAT(error_of("[]\n"), Catch::StartsWith("the document: got an array"));
  CHECK_THAT(error_of(std::string(100'000, '[') + '\n'), Catch::Contains("nesting"));
}

TEST_CASE("No random damage gets a wrong pid or path through unnoticed by the reader") {
  const std::string text = record_json(example());
  std::mt19937 random(7);
  for (int round = 0; round < 5000; ++round) {
    std::string damaged = text;
    for (int bytes = 0; bytes < 3; ++bytes) {
      damaged[random() % damaged.size()] = static_cast<char>(random());
    }
    if (const Result<Record> record = parse_record(damaged); record) {
      CHECK(record->pid >= 0);
      CHECK(record->bundle.starts_with('/'));
      CHECK(record->rootfs.starts_with('/'));
    } else {
      CHECK_FALSE(record.error().message().empty());
    }
  }
}

}  // namespace
}  // namespace berth::spec
