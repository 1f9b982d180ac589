#include <berth/sys/file.hpp>
#include <berth/sys/shared_word.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace berth::sys {
namespace {

constexpr std::size_t kSize = 4096;

}  // namespace

Result<SharedWord> SharedWord::create() {
  UniqueFd fd = TRY(memory_file("berth-word", false));
  if (::ftruncate(fd.get(), kSize) < 0) {
    return sys_fail(errno, "ftruncate(shared word)");
  }
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW) < 0) {
    return sys_fail(errno, "fcntl(shared word, F_ADD_SEALS)");
  }
  return map(std::move(fd));
}

Result<SharedWord> SharedWord::open(UniqueFd fd) {
  // Memory that the other process takes back would be a SIGBUS here.
  const int seals = ::fcntl(fd.get(), F_GET_SEALS);
  const struct stat status = TRY(stat_fd(fd.get(), "shared word"));
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || status.st_size < static_cast<off_t>(kSize)) {
    return fail(ErrorKind::kInternal, "the shared word is no sealed memory file");
  }
  return map(std::move(fd));
}

Result<SharedWord> SharedWord::map(UniqueFd fd) {
  void* memory = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (memory == MAP_FAILED) {
    return sys_fail(errno, "mmap(shared word)");
  }
  return SharedWord(std::move(fd), static_cast<int*>(memory));
}

SharedWord::~SharedWord() {
  if (word_ != nullptr) {
    ::munmap(word_, kSize);
  }
}

}  // namespace berth::sys
