#include <berth/rootfs/kept_descriptors.hpp>
#include <berth/sys/file.hpp>

#include <fcntl.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <utility>
#include <vector>

using berth::rootfs::KeptDescriptors;
using berth::sys::UniqueFd;

namespace {

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

// A descriptor with this number or, if that is in use, the next one that is free.
UniqueFd descriptor(int number) {
  static const UniqueFd null = berth::sys::open_at(AT_FDCWD, "/dev/null", O_PATH).value();
  return berth::sys::duplicate(null.get(), number).value();
}

}  // namespace

TEST_CASE("descriptors are kept open up to a bound, and closed beyond it") {
  constexpr int kBound = 256;
  KeptDescriptors kept;
  std::vector<int> numbers;
  for (int index = 0; index <= kBound; ++index) {
    UniqueFd fd = descriptor(3);
    numbers.push_back(fd.get());
    kept.take(std::move(fd));
  }
  CHECK_FALSE(is_open(numbers.back()));
  numbers.pop_back();
  CHECK(std::ranges::all_of(numbers, is_open));
  REQUIRE(kept.close_all());
  CHECK(std::ranges::none_of(numbers, is_open));
}

TEST_CASE("descriptors of others among them stay open") {
  constexpr int kFirst = 500;
  KeptDescriptors kept;
  std::vector<UniqueFd> others;
  for (const int offset : {4, 1, 7, 0, 3, 8}) {  // in no order, and not all of a row
    kept.take(descriptor(kFirst + offset));
  }
  for (const int offset : {2, 5, 6}) {
    others.push_back(descriptor(kFirst + offset));
  }
  REQUIRE(kept.close_all());
  for (int offset = 0; offset <= 8; ++offset) {
    INFO(offset);
    CHECK(is_open(kFirst + offset) == (offset == 2 || offset == 5 || offset == 6));
  }
  CHECK(kept.close_all());
}
