#include <berth/rootfs/kept_descriptors.hpp>
#include <berth/sys/file.hpp>

#include <fcntl.h>

#include <catch2/catch.hpp>
#include <vector>

TEST_CASE("descriptors are kept open up to a bound, and closed beyond it") {
  const auto is_open = [](int fd) { return ::fcntl(fd, F_GETFD) >= 0; };
  std::vector<int> numbers;
  {
    berth::rootfs::KeptDescriptors kept;
    for (int index = 0; index < 256; ++index) {
      berth::sys::UniqueFd fd = berth::sys::open_at(AT_FDCWD, "/dev/null", O_PATH).value();
      numbers.push_back(fd.get());
      kept.take(std::move(fd));
    }
    CHECK(is_open(numbers.front()));
    CHECK(is_open(numbers.back()));
    berth::sys::UniqueFd beyond = berth::sys::open_at(AT_FDCWD, "/dev/null", O_PATH).value();
    const int number = beyond.get();
    kept.take(std::move(beyond));
    CHECK_FALSE(is_open(number));
  }
  CHECK_FALSE(is_open(numbers.front()));
}
