#include <berth/ns/id_map.hpp>

#include <catch2/catch.hpp>
#include <vector>

using berth::ns::id_map_text;
using berth::ns::is_id_map;
using berth::ns::maps_only;
using berth::plan::IdMapping;

TEST_CASE("a map is one line a range") {
  const std::vector<IdMapping> mappings = {{0, 100000, 65536}, {65536, 4294967294, 1}};
  CHECK(id_map_text(mappings) == "0 100000 65536\n65536 4294967294 1\n");
}

TEST_CASE("what the kernel shows of a map is compared by its ranges") {
  const std::vector<IdMapping> mappings = {{0, 100000, 65536}, {65536, 4294967294, 1}};
  CHECK(is_id_map("         0     100000      65536\n     65536 4294967294          1\n", mappings));
  CHECK(is_id_map("     65536 4294967294          1\n         0     100000      65536\n", mappings));
  CHECK_FALSE(is_id_map("         0     100000      65536\n", mappings));
  CHECK_FALSE(is_id_map("         0     100000      65537\n     65536 4294967294          1\n", mappings));
  CHECK_FALSE(is_id_map("", mappings));
}

TEST_CASE("only a single id of one's own needs no privilege") {
  CHECK(maps_only(std::vector<IdMapping>{{0, 1000, 1}}, 1000));
  CHECK_FALSE(maps_only(std::vector<IdMapping>{{0, 1000, 2}}, 1000));
  CHECK_FALSE(maps_only(std::vector<IdMapping>{{0, 1001, 1}}, 1000));
  CHECK_FALSE(maps_only(std::vector<IdMapping>{{0, 1000, 1}, {1, 2000, 1}}, 1000));
  CHECK_FALSE(maps_only(std::vector<IdMapping>{}, 1000));
}
