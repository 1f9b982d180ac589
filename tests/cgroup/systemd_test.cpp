#include <catch2/catch.hpp>

#include "cgroup/systemd/bus.hpp"
#include "cgroup/systemd/bus_message.hpp"
#include "cgroup/systemd/unit_name.hpp"
#include "cgroup/systemd/unit_properties.hpp"

using namespace berth;
using namespace berth::cgroup;
using namespace berth::cgroup::systemd;
using namespace std::string_literals;

namespace {

constexpr unsigned kVersion = 252;
constexpr std::uint64_t kInfinity = ~std::uint64_t{0};

FileWrite file(std::string name, std::string value) {
  return {.property = "", .controller = "", .file = std::move(name), .value = std::move(value)};
}

std::vector<UnitProperty> properties(const std::vector<FileWrite>& writes, unsigned version = kVersion) {
  return unit_properties(writes, version);
}

std::vector<UnitProperty> one(std::string name, BusValue value) {
  return {{std::move(name), std::move(value)}};
}

Result<std::vector<UnitProperty>> annotated(const std::string& name, const std::string& text) {
  return annotated_properties({{"org.systemd.property." + name, text}, {"other", "5"}});
}

}  // namespace

TEST_CASE("slice:prefix:name is a scope in a slice") {
  CHECK(parse_scope_name("machine.slice:libpod:123", "web", false).value() ==
        ScopeName{"machine.slice", "libpod-123.scope"});
  CHECK(parse_scope_name("", "web", false).value() == ScopeName{"system.slice", "berth-web.scope"});
  CHECK(parse_scope_name("", "web", true).value() == ScopeName{"user.slice", "berth-web.scope"});
  CHECK(parse_scope_name("::", "web", false).value() == ScopeName{"system.slice", "web.scope"});
  CHECK(parse_scope_name("-:p:n", "web", false).value() == ScopeName{"-.slice", "p-n.scope"});
  CHECK(parse_scope_name(":p:a+b@c/d", "web", false).value().unit == "p-a\\x2bb\\x40c\\x2fd.scope");

  for (const char* path : {"/a/b", "a:b", "a:b:c:d", "a.slice/b.slice:p:n", "a:p:n", ".slice:p:n", "-a.slice:p:n",
                           "a-.slice:p:n", "a--b.slice:p:n", "a\n.slice:p:n", ":p:n.slice"}) {
    INFO(path);
    const auto scope = parse_scope_name(path, "web", false);
    REQUIRE_FALSE(scope);
    CHECK(scope.error().kind() == ErrorKind::kConfig);
  }
  CHECK_FALSE(parse_scope_name(":p:" + std::string(250, 'n'), "web", false));
}

TEST_CASE("dashes nest slices") {
  CHECK(slice_path("-.slice").value().empty());
  CHECK(slice_path("system.slice").value() == "/system.slice");
  CHECK(slice_path("a-b-c.slice").value() == "/a.slice/a-b.slice/a-b-c.slice");
}

TEST_CASE("slices and what is around them") {
  CHECK(parent_slice("a-b-c.slice") == "a-b.slice");
  CHECK(parent_slice("a-b.slice") == "a.slice");
  CHECK(parent_slice("a.slice").empty());
  CHECK(parent_slice("-.slice").empty());
}

TEST_CASE("paths of units on the bus") {
  CHECK(path_label("web.scope") == "web_2escope");
  CHECK(path_label("a-b.slice") == "a_2db_2eslice");
  CHECK(path_label("0af3") == "_30af3");  // an invocation: no path begins with a digit
  CHECK(path_label("af30") == "af30");
  CHECK(path_label("") == "_");
}

TEST_CASE("a cgroup's name is not that of a file of the kernel's") {
  CHECK(unit_name("_memory.slice") == "memory.slice");
  CHECK(unit_name("__x.slice") == "_x.slice");
  CHECK(unit_name("a.slice") == "a.slice");
  CHECK(cgroup_name("web.scope") == "web.scope");
  CHECK(cgroup_name("memory.scope") == "_memory.scope");
  CHECK(cgroup_name("cgroup.scope") == "_cgroup.scope");
  CHECK(cgroup_name("_x.scope") == "__x.scope");
  CHECK(cgroup_name(".x.scope") == "_.x.scope");
  CHECK(cgroup_name("memories.scope") == "memories.scope");
}

TEST_CASE("limits are properties of the unit") {
  CHECK(properties({file("memory.max", "1048576")}) == one("MemoryMax", std::uint64_t{1048576}));
  CHECK(properties({file("memory.max", "max")}) == one("MemoryMax", kInfinity));
  CHECK(properties({file("memory.swap.max", "0")}) == one("MemorySwapMax", std::uint64_t{0}));
  CHECK(properties({file("memory.high", "5"), file("memory.low", "4"), file("memory.min", "3")}) ==
        std::vector<UnitProperty>{
            {"MemoryHigh", std::uint64_t{5}}, {"MemoryLow", std::uint64_t{4}}, {"MemoryMin", std::uint64_t{3}}});
  CHECK(properties({file("pids.max", "7")}) == one("TasksMax", std::uint64_t{7}));
  CHECK(properties({file("pids.max", "0")}) == one("TasksMax", std::uint64_t{1}));  // systemd refuses 0
  CHECK(properties({file("memory.high", "0")}) == one("MemoryHigh", std::uint64_t{1}));
  CHECK(properties({file("memory.low", "0")}) == one("MemoryLow", std::uint64_t{0}));
  CHECK(properties({file("cpu.weight", "39")}) == one("CPUWeight", std::uint64_t{39}));
  CHECK(properties({file("cpu.idle", "1")}) == one("CPUWeight", std::uint64_t{0}));
  CHECK(properties({file("cpu.idle", "1")}, 251).empty());
  CHECK(properties({file("cpu.idle", "0")}).empty());
  CHECK(properties({file("io.weight", "default 4950")}) == one("IOWeight", std::uint64_t{4950}));
  FileWrite bfq = file("io.bfq.weight", "500");
  bfq.fallback_file = "io.weight";
  bfq.fallback_value = "4950";
  CHECK(properties({bfq}) == one("IOWeight", std::uint64_t{4950}));
  CHECK(properties({file("hugetlb.2MB.max", "0"), file("io.max", "8:0 rbps=1")}).empty());
}

TEST_CASE("a number is the one that the kernel reads, or none") {
  const auto high = [](const char* text) { return properties({file("memory.high", text)}); };
  CHECK(high("64K") == one("MemoryHigh", std::uint64_t{64} << 10));
  CHECK(high("64m") == one("MemoryHigh", std::uint64_t{64} << 20));
  CHECK(high("2G") == one("MemoryHigh", std::uint64_t{2} << 30));
  CHECK(high("1T") == one("MemoryHigh", std::uint64_t{1} << 40));
  CHECK(high("0x1000") == one("MemoryHigh", std::uint64_t{4096}));
  for (const char* text : {"", "K", "64KB", "64 K", "64X", "-1", "maximum", "99999999999999999999", "99999999999E"}) {
    INFO(text);
    CHECK(high(text).empty());
  }
}

TEST_CASE("a quota is whole percents of a second") {
  const auto quota = [](std::uint64_t value) { return UnitProperty{"CPUQuotaPerSecUSec", value}; };
  const auto period = [](std::uint64_t value) { return UnitProperty{"CPUQuotaPeriodUSec", value}; };
  CHECK(properties({file("cpu.max", "20000 50000")}) == std::vector{period(50000), quota(400000)});
  CHECK(properties({file("cpu.max", "20000 50000")}, 241) == std::vector{quota(400000)});
  CHECK(properties({file("cpu.max", "20100 100000")}) == std::vector{period(100000), quota(210000)});
  CHECK(properties({file("cpu.max", "1000 1000000")}) == std::vector{period(1000000), quota(10000)});
  CHECK(properties({file("cpu.max", "max 50000")}) == std::vector{period(50000), quota(kInfinity)});
  CHECK(properties({file("cpu.max", "20000")}) == std::vector{quota(200000)});
}

TEST_CASE("lists of CPUs are bits") {
  using Bytes = std::vector<std::uint8_t>;
  CHECK(properties({file("cpuset.cpus", "0-2,7")}) == one("AllowedCPUs", Bytes{0x87}));
  CHECK(properties({file("cpuset.cpus", "9")}) == one("AllowedCPUs", Bytes{0, 2}));
  CHECK(properties({file("cpuset.mems", "0")}) == one("AllowedMemoryNodes", Bytes{1}));
  CHECK(properties({file("cpuset.cpus", "\n")}) == one("AllowedCPUs", Bytes{}));
  CHECK(properties({file("cpuset.cpus", "0")}, 243).empty());
}

TEST_CASE("versions as distributions write them") {
  CHECK(systemd_version("252.39-1~deb12u2") == 252);
  CHECK(systemd_version("v245.4-1.fc32") == 245);
  CHECK(systemd_version("257") == 257);
  CHECK(systemd_version("unknown") == 0);
}

TEST_CASE("annotations become properties") {
  CHECK(annotated("Wants", "'a b'").value() == one("Wants", "a b"s));
  CHECK(annotated("Wants", R"("it\"s")").value() == one("Wants", "it\"s"s));
  CHECK(annotated("Delegate", " true ").value() == one("Delegate", true));
  CHECK(annotated("Delegate", "false").value() == one("Delegate", false));
  CHECK(annotated("Nice", "-5").value() == one("Nice", std::int32_t{-5}));
  CHECK(annotated("Weight", "uint64 0x10").value() == one("Weight", std::uint64_t{16}));
  CHECK(annotated("Weight", "byte 7").value() == one("Weight", std::uint8_t{7}));
  CHECK(annotated("Weight", "1.5").value() == one("Weight", 1.5));
  CHECK(annotated("After", "['a', \"b\"]").value() == one("After", std::vector{"a"s, "b"s}));
  CHECK(annotated("After", "@as []").value() == one("After", std::vector<std::string>{}));
  CHECK(annotated("Mask", "[byte 0x01, 2]").value() == one("Mask", std::vector<std::uint8_t>{1, 2}));
  CHECK(annotated("TimeoutStopSec", "90").value() == one("TimeoutStopUSec", std::uint64_t{90'000'000}));
  CHECK(annotated("TimeoutStopSec", "uint64 2").value() == one("TimeoutStopUSec", std::uint64_t{2'000'000}));
  CHECK(annotated("TimeoutStopSec", "0.5").value() == one("TimeoutStopUSec", std::uint64_t{500'000}));
  CHECK(annotated("TimeoutStopUSec", "uint64 5").value() == one("TimeoutStopUSec", std::uint64_t{5}));
  CHECK(annotated_properties({{"org.systemd", "x"}}).value().empty());
}

TEST_CASE("annotations that are no property are refused") {
  const auto [name, text] = GENERATE(table<std::string, std::string>({
      {"Wants", "text"},
      {"Wants", "'text"},
      {"Wants", ""},
      {"Wants", "'a' 'b'"},
      {"Wants", "['a'"},
      {"Wants", "['a' 'b']"},
      {"Nice", "99999999999"},
      {"Nice", "byte 256"},
      {"Nice", "uint64 -1"},
      {"Nice", "1 2"},
      {"Ni", "1"},
      {"Ni-ce", "1"},
      {"", "1"},
      {"TimeoutStopSec", "'5'"},
      {"TimeoutStopSec", "-5"},
      {"TimeoutStopSec", "true"},
      {"After", "['a', 5]"},
  }));
  INFO(name << " = " << text);
  const auto made = annotated(name, text);
  REQUIRE_FALSE(made);
  CHECK(made.error().kind() == ErrorKind::kConfig);
  CHECK_THAT(made.error().message(), Catch::StartsWith("/annotations/org.systemd.property." + name));
}

TEST_CASE("a call is as the specification lays it out") {
  const std::string hello = method_call(
      1, {.destination = "org.freedesktop.DBus", .path = "/org", .interface = "a.b", .member = "Hello"}, {});
  CHECK(hello ==
        "l\1\0\1\0\0\0\0\1\0\0\0\x4d\0\0\0"s
        "\1\1o\0\4\0\0\0/org\0\0\0\0"s
        "\2\1s\0\3\0\0\0a.b\0\0\0\0\0"s
        "\3\1s\0\5\0\0\0Hello\0\0\0"s
        "\6\1s\0\x14\0\0\0org.freedesktop.DBus\0\0\0\0"s);
  CHECK(message_length(hello).value() == hello.size());
  CHECK(parse_message(hello).value().member == "Hello");

  BusArguments arguments;
  arguments.add("x").add(true).add(one("TasksMax", std::uint64_t{5})).add_empty("a(sa(sv))");
  CHECK(arguments.signature() == "sba(sv)a(sa(sv))");
  CHECK(BusArguments().add(std::uint32_t{258}).bytes() == "\2\1\0\0"s);
  CHECK(arguments.bytes() ==
        "\1\0\0\0x\0\0\0"s
        "\1\0\0\0\x18\0\0\0"s
        "\x8\0\0\0TasksMax\0"s
        "\1t\0"s  // the variant's signature, which ends where a number of 8 bytes may stand
        "\5\0\0\0\0\0\0\0"s
        "\0\0\0\0\0\0\0\0"s);
}

TEST_CASE("texts of a message, whatever is between them") {
  BusMessage message;
  message.signature = "uosv";
  message.body =
      "\7\0\0\0"s
      "\4\0\0\0/job\0\0\0\0"s
      "\4\0\0\0unit\0"s
      "\1s\0"s
      "\4\0\0\0done\0"s;
  CHECK(texts_of(message).value() == std::vector{"/job"s, "unit"s, "done"s});
  message.body.pop_back();
  CHECK_FALSE(texts_of(message));

  message.signature = "v";
  message.body = "\2ay\0\3\0\0\0\1\0\xff"s;
  CHECK(texts_of(message).value() == std::vector{"\1\0\xff"s});
  message.body = "\2ay\0\x64\0\0\0\1"s;
  CHECK_FALSE(texts_of(message));
  message.signature = "as";
  CHECK(texts_of(message).value().empty());
  message.signature = "a";
  CHECK(texts_of(message).value().empty());
}

TEST_CASE("the length of a message is in its own byte order") {
  const auto header = [](char order, const std::string& body, const std::string& fields) {
    return std::string{order, '\4', '\0', '\1'} + body + "\0\0\0\1"s + fields;
  };
  CHECK(message_length(header('B', "\0\0\0\x03"s, "\0\0\0\x09"s)).value() == 16 + 16 + 3);
  CHECK(message_length(header('l', "\3\0\0\0"s, "\x09\0\0\0"s)).value() == 16 + 16 + 3);
  CHECK(message_length(header('l', "\0\0\x40\0"s, "\0\0\0\0"s)).value() == 16 + (std::size_t{4} << 20));
  CHECK_FALSE(message_length(header('x', "\3\0\0\0"s, "\x09\0\0\0"s)));
  CHECK_FALSE(message_length(header('l', "\0\0\0\x08"s, "\0\0\0\0"s)));  // 16 bytes over 128 MiB
  CHECK_FALSE(parse_message(header('B', "\0\0\0\0"s, "\0\0\0\0"s)));
  CHECK(parse_message(header('l', "\0\0\0\0"s, "\0\0\0\0"s)).value().type == BusMessageType::kSignal);
}

TEST_CASE("the first text, or an error") {
  BusMessage message;
  message.signature = "uo";
  message.body = "\7\0\0\0\4\0\0\0/job\0"s;
  CHECK(first_text_of(message).value() == "/job");
  message.signature = "u";
  CHECK_FALSE(first_text_of(message));
  CHECK_FALSE(first_text_of({}));
}

TEST_CASE("no damage to a message is read beyond its end") {
  const BusCall call{.destination = "org.freedesktop.systemd1", .path = "/x", .interface = "a.b", .member = "Get"};
  const std::string bytes = method_call(3, call, BusArguments().add("one").add("two"));
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    CHECK_FALSE(parse_message(std::string_view(bytes).substr(0, length)));
  }
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (const char value : {'\0', '\1', '\x7f', '\xff'}) {
      std::string damaged = bytes;
      damaged[at] = value;
      if (const auto message = parse_message(damaged)) {
        static_cast<void>(texts_of(*message));
      }
    }
  }
}

TEST_CASE("addresses of a bus") {
  CHECK(socket_path("unix:path=/run/dbus/system_bus_socket") == "/run/dbus/system_bus_socket");
  CHECK(socket_path("unix:path=/run/user/1000/bus,guid=0a1b;tcp:host=x") == "/run/user/1000/bus");
  CHECK(socket_path("unix:abstract=/tmp/x").empty());
  CHECK(socket_path("").empty());
}
