#include "rdt/schemata.hpp"

#include <catch2/catch.hpp>

using berth::rdt::first_difference;

TEST_CASE("What holds already, whatever its spelling") {
  const char* present = "    MB:0=100;1= 20\n    L3:0=0007ff;1=00001f\n";
  CHECK(first_difference("", present).empty());
  CHECK(first_difference("L3:0=7ff;1=1f", present).empty());
  CHECK(first_difference("L3:1=1F", present).empty());
  CHECK(first_difference("L3: 0 = 7FF\nMB:1=20", present).empty());
}

TEST_CASE("What says something else, or what nobody says") {
  const char* present = "MB:0=100\nL3:0=7ff;1=1f\n";
  CHECK(first_difference("L3:0=7fe", present) == "L3:0=7fe");
  CHECK(first_difference("L3:0=7ff\nMB:0=90", present) == "MB:0=90");
  CHECK(first_difference("L3:2=1f", present) == "L3:2=1f");
  CHECK(first_difference("L2:0=7ff", present) == "L2:0=7ff");
  CHECK(first_difference("L3:0=7ff", "") == "L3:0=7ff");
  CHECK(first_difference("L3:0=0", "L3:0=00\n").empty());
}
