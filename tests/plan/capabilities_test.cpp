#include <berth/base/log.hpp>
#include <berth/plan/capabilities.hpp>

#include <linux/capability.h>

#include <catch2/catch.hpp>

#include "plan/lowered.hpp"

namespace berth::plan {
namespace {

constexpr std::uint64_t bit(unsigned number) {
  return std::uint64_t{1} << number;
}

// Warnings of the tests are not for the terminal.
struct Quiet {
  Quiet() { log::configure({.level = log::Level::kError}); }
  ~Quiet() { log::configure({}); }
};

std::string capabilities(const std::string& members) {
  return "\"capabilities\": {" + members + "}";
}

TEST_CASE("Names and numbers of capabilities are the kernel's") {
  CHECK(capability_number("CAP_CHOWN") == 0U);
  CHECK(capability_number("CAP_SETPCAP") == unsigned{CAP_SETPCAP});
  CHECK(capability_number("CAP_SYS_ADMIN") == unsigned{CAP_SYS_ADMIN});
  CHECK(capability_number("CAP_AUDIT_READ") == unsigned{CAP_AUDIT_READ});
  CHECK(capability_number("CAP_CHECKPOINT_RESTORE") == unsigned{CAP_CHECKPOINT_RESTORE});
  CHECK(capability_names().size() == CAP_LAST_CAP + 1);
  CHECK_FALSE(capability_number("CAP_X").has_value());
  CHECK_FALSE(capability_number("chown").has_value());
  CHECK_FALSE(capability_number("").has_value());
}

TEST_CASE("The five sets become masks") {
  const Capabilities plan = plan_of({.process = capabilities(R"("bounding": ["CAP_CHOWN", "CAP_KILL"],
      "permitted": ["CAP_CHOWN", "CAP_KILL", "CAP_SYS_ADMIN"], "effective": ["CAP_SYS_ADMIN"],
      "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"])")})
                                .process.capabilities.value();
  CHECK(plan.bounding == (bit(0) | bit(5)));
  CHECK(plan.permitted == (bit(0) | bit(5) | bit(21)));
  CHECK(plan.effective == bit(21));
  CHECK(plan.inheritable == bit(5));
  CHECK(plan.ambient == bit(5));
  CHECK(plan_of({.process = capabilities("")}).process.capabilities.value().bounding == 0);
}

TEST_CASE("A capability that nobody knows is left out, as the specification wants") {
  const Quiet quiet;
  const std::string sets = capabilities(R"("bounding": ["CAP_NEW", "CAP_BPF", "CAP_KILL"], "effective": ["CAP_NEW"],
                                           "ambient": ["CAP_NEW"])");
  CHECK(plan_of({.process = sets}).process.capabilities.value().bounding == (bit(5) | bit(39)));
  CHECK(plan_of({.process = sets}, {.capabilities = bit(6) - 1}).process.capabilities.value().bounding == bit(5));
  // Left out of all sets, so no set lacks it.
  CHECK(error_of({.process = capabilities(R"("effective": ["CAP_BPF"])")}, {.capabilities = bit(6) - 1}).empty());
}

TEST_CASE("What the kernel would refuse is left out") {
  const auto plan = [](const std::string& members) {
    return plan_of({.process = capabilities(members)}).process.capabilities.value();
  };
  CHECK(plan(R"("permitted": ["CAP_KILL"], "effective": ["CAP_KILL", "CAP_CHOWN"])").effective == bit(5));
  CHECK(plan(R"("inheritable": ["CAP_KILL"])").inheritable == 0);
  CHECK(plan(R"("permitted": ["CAP_KILL"], "ambient": ["CAP_KILL"])").ambient == 0);
  CHECK(plan(R"("bounding": ["CAP_KILL"], "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"])").ambient == 0);
  CHECK(plan(R"("bounding": ["CAP_KILL"], "inheritable": ["CAP_KILL"], "permitted": ["CAP_KILL"],
                "ambient": ["CAP_KILL"])")
            .ambient == bit(5));
}

}  // namespace
}  // namespace berth::plan
