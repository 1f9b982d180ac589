#include <berth/rootfs/kept_descriptors.hpp>
#include <berth/sys/file.hpp>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace berth::rootfs {

void KeptDescriptors::take(sys::UniqueFd fd) {
  constexpr std::size_t kMost = 256;
  if (fd.valid() && kept_.size() < kMost) {
    kept_.push_back(std::move(fd));
  }
}

Status KeptDescriptors::close_all() {
  std::vector<unsigned> numbers;
  numbers.reserve(kept_.size());
  for (sys::UniqueFd& fd : kept_) {
    numbers.push_back(static_cast<unsigned>(fd.release()));
  }
  kept_.clear();
  std::ranges::sort(numbers);
  for (std::size_t first = 0; first < numbers.size();) {
    std::size_t last = first;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) {
      ++last;
    }
    TRY(sys::close_fds(numbers[first], numbers[last]));
    first = last + 1;
  }
  return {};
}

}  // namespace berth::rootfs
