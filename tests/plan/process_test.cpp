#include <sys/resource.h>

#include <catch2/catch.hpp>

#include "plan/lowered.hpp"

namespace berth::plan {
namespace {

const std::string kWithUser = R"({"type": "mount"}, {"type": "user"})";
const std::string kMappings = R"("uidMappings": [{"containerID": 10, "hostID": 1000, "size": 5}],
                                 "gidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}])";

TEST_CASE("The program, its directory and its user") {
  const Process plan =
      plan_of(
          {.process = R"("env": ["A=b", "odd"], "noNewPrivileges": true, "apparmorProfile": "p", "selinuxLabel": "l",
                             "user": {"uid": 4294967294, "gid": 7, "additionalGids": [8, 9], "umask": 511},
                             "oomScoreAdj": -1000)"})
          .process;
  CHECK(plan.args == std::vector<std::string>{"sh"});
  CHECK(plan.env == std::vector<std::string>{"A=b", "odd"});
  CHECK(plan.cwd == "/");
  CHECK(plan.user.uid == 4294967294);
  CHECK(plan.user.gid == 7);
  CHECK(plan.user.additional_gids == std::vector<gid_t>{8, 9});
  CHECK(plan.user.umask == 0777);
  CHECK(plan.no_new_privileges);
  CHECK(plan.apparmor_profile == "p");
  CHECK(plan.selinux_label == "l");
  CHECK(plan.oom_score_adj == -1000);
  CHECK_FALSE(plan.terminal);
  CHECK_FALSE(plan.capabilities.has_value());
  CHECK(plan_of({}).process.user.umask == 022);
  CHECK_FALSE(plan_of({}).process.oom_score_adj.has_value());
}

TEST_CASE("Values of the process that cannot be are refused") {
  for (const auto& [member, expected] :
       {std::pair{R"("user": {"uid": 4294967295})", "/process/user/uid: got 4294967295"},
        std::pair{R"("user": {"gid": 4294967295})", "/process/user/gid: got 4294967295"},
        std::pair{R"("user": {"additionalGids": [0, 4294967295]})", "/process/user/additionalGids/1: got 4294967295"},
        std::pair{R"("user": {"umask": 512})", "/process/user/umask: got 512"},
        std::pair{R"("oomScoreAdj": 1001)", "/process/oomScoreAdj: got 1001"},
        std::pair{R"("oomScoreAdj": -1001)", "/process/oomScoreAdj: got -1001"},
        std::pair{R"("terminal": true, "consoleSize": {"height": 65536, "width": 1})",
                  "/process/consoleSize/height: got 65536"},
        std::pair{R"("terminal": true, "consoleSize": {"height": 1, "width": 65536})",
                  "/process/consoleSize/width: got 65536"}}) {
    INFO(member);
    CHECK_THAT(error_of({.process = member}), Catch::StartsWith(expected));
  }
  for (const auto& [process, expected] : {std::pair{R"("cwd": "/")", "/process/args: got no argument"},
                                          std::pair{R"("cwd": "/", "args": [""])", "/process/args/0: got \"\""},
                                          std::pair{R"("cwd": "x", "args": ["a"])", "/process/cwd: got \"x\""},
                                          std::pair{R"("cwd": "", "args": ["a"])", "/process/cwd: got \"\""}}) {
    const auto plan =
        lower_text(R"({"ociVersion": "1.3.0", "root": {"path": "r"}, "process": {)" + std::string(process) + "}}");
    REQUIRE_FALSE(plan.has_value());
    CHECK_THAT(plan.error().message(), Catch::StartsWith(expected));
  }
}

TEST_CASE("The size of the console counts with a terminal only") {
  const auto size = plan_of({.process = R"("terminal": true, "consoleSize": {"height": 24, "width": 80})"})
                        .process.console_size.value();
  CHECK(size.height == 24);
  CHECK(size.width == 80);
  CHECK_FALSE(
      plan_of({.process = R"("consoleSize": {"height": 99999, "width": 80})"}).process.console_size.has_value());
}

TEST_CASE("Ids of the process are mapped in a new user namespace") {
  const auto error = [](const std::string& user) {
    return error_of({.process = "\"user\": {" + user + "}", .linux_block = kMappings, .namespaces = kWithUser});
  };
  CHECK(error(R"("uid": 10, "gid": 0)").empty());
  CHECK(error(R"("uid": 14, "gid": 0, "additionalGids": [0])").empty());
  CHECK_THAT(error(R"("uid": 9)"),
             Catch::StartsWith("/process/user/uid: got 9, expected an id that /linux/uidMappings"));
  CHECK_THAT(error(R"("uid": 15)"), Catch::StartsWith("/process/user/uid: got 15"));
  CHECK_THAT(error(R"("uid": 10, "gid": 1)"), Catch::StartsWith("/process/user/gid: got 1"));
  CHECK_THAT(error(R"("uid": 10, "additionalGids": [0, 5])"),
             Catch::StartsWith("/process/user/additionalGids/1: got 5, expected an id that /linux/gidMappings"));
  // The map of a joined one is not known here.
  CHECK(error_of({.process = R"("user": {"uid": 77})", .namespaces = R"({"type": "user", "path": "/n"})"}).empty());
}

TEST_CASE("Every rlimit of the specification has its number") {
  struct Case {
    std::string name;
    int resource;
  };
  for (const Case& entry :
       {Case{"AS", RLIMIT_AS}, Case{"CORE", RLIMIT_CORE}, Case{"CPU", RLIMIT_CPU}, Case{"DATA", RLIMIT_DATA},
        Case{"FSIZE", RLIMIT_FSIZE}, Case{"LOCKS", RLIMIT_LOCKS}, Case{"MEMLOCK", RLIMIT_MEMLOCK},
        Case{"MSGQUEUE", RLIMIT_MSGQUEUE}, Case{"NICE", RLIMIT_NICE}, Case{"NOFILE", RLIMIT_NOFILE},
        Case{"NPROC", RLIMIT_NPROC}, Case{"RSS", RLIMIT_RSS}, Case{"RTPRIO", RLIMIT_RTPRIO},
        Case{"RTTIME", RLIMIT_RTTIME}, Case{"SIGPENDING", RLIMIT_SIGPENDING}, Case{"STACK", RLIMIT_STACK}}) {
    INFO(entry.name);
    const auto rlimits = plan_of({.process = R"("rlimits": [{"type": "RLIMIT_)" + entry.name +
                                             R"(", "soft": 5, "hard": 18446744073709551615}])"})
                             .process.rlimits;
    REQUIRE(rlimits.size() == 1);
    CHECK(rlimits[0].resource == entry.resource);
    CHECK(rlimits[0].soft == 5);
    CHECK(rlimits[0].hard == RLIM_INFINITY);
  }
}

TEST_CASE("Rlimits that cannot be are refused") {
  const std::string core = R"({"type": "RLIMIT_CORE", "soft": 1, "hard": 1})";
  const auto error = [&](const std::string& entry) {
    return error_of({.process = "\"rlimits\": [" + core + ", " + entry + "]"});
  };
  CHECK_THAT(error(R"({"type": "RLIMIT_X", "soft": 1, "hard": 1})"),
             Catch::StartsWith("/process/rlimits/1/type: got \"RLIMIT_X\", expected one of RLIMIT_AS"));
  CHECK_THAT(error(core), Catch::StartsWith("/process/rlimits/1/type: got \"RLIMIT_CORE\" again"));
  CHECK_THAT(error(R"({"type": "RLIMIT_CPU", "soft": 2, "hard": 1})"),
             Catch::StartsWith("/process/rlimits/1/soft: got 2, expected at most the hard limit, 1"));
}

}  // namespace
}  // namespace berth::plan
