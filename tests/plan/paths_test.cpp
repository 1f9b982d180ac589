#include <berth/plan/number_list.hpp>

#include <catch2/catch.hpp>

#include "plan/clean_path.hpp"

namespace berth::plan {
namespace {

TEST_CASE("Paths are made clean by their text") {
  for (const auto& [path, clean] :
       {std::pair{"/", "/"}, std::pair{"", "/"}, std::pair{"///", "/"}, std::pair{"/a", "/a"}, std::pair{"/a/", "/a"},
        std::pair{"//a///b/", "/a/b"}, std::pair{"/./a/./b/.", "/a/b"}, std::pair{"/a/../b", "/b"},
        std::pair{"/..", "/"}, std::pair{"/../../a", "/a"}, std::pair{"/a/b/../..", "/"}, std::pair{"a/b", "/a/b"},
        std::pair{"/...", "/..."}, std::pair{"/..a/.b", "/..a/.b"}}) {
    INFO(path);
    CHECK(clean_path(path) == clean);
  }
  CHECK(join_path("/b", "c") == "/b/c");
  CHECK(join_path("/b", "/c") == "/c");
  CHECK(join_path("/", "c/") == "/c");
  CHECK(join_path("/b", "../../c") == "/c");
}

TEST_CASE("A component that is .. is found, a name with dots is not one") {
  for (const std::string_view path : {"..", "/..", "a/..", "../a", "a/../b", "a//..//"}) {
    INFO(path);
    CHECK(has_parent_component(path));
  }
  for (const std::string_view path : {"", "/", ".", "...", "a..", "..a", "/a.b/c"}) {
    INFO(path);
    CHECK_FALSE(has_parent_component(path));
  }
}

TEST_CASE("Number lists are read as the kernel writes them") {
  using Numbers = std::vector<unsigned>;
  CHECK(parse_number_list("", 7) == Numbers{});
  CHECK(parse_number_list("3", 7) == Numbers{3});
  CHECK(parse_number_list("0-2,7", 7) == Numbers{0, 1, 2, 7});
  CHECK(parse_number_list("5, 1 - 2,1", 7) == Numbers{1, 2, 5});
  for (const std::string_view text : {"8", "-1", "1-", "-", "2-1", "a", "1,,2", "1,", ",1", ",", "0x1", "1-2-3", "1\n",
                                      "99999999999999999999", "0-4294967295"}) {
    INFO(text);
    CHECK_FALSE(parse_number_list(text, 7).has_value());
  }
}

}  // namespace
}  // namespace berth::plan
