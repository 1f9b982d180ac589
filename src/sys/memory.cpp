#include <berth/sys/memory.hpp>

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>

// The linker's: the data that stays writable, with the zeroed part behind it; and, in the program that is linked with
// such a list (src/cli), the code that a start executes.
extern "C" {
extern char __data_start[] __attribute__((visibility("hidden")));
extern char _end[] __attribute__((visibility("hidden")));
extern char berth_hot_process[] __attribute__((weak));
extern char berth_hot_end[] __attribute__((weak));
// glibc's: where the stack of the first thread began.
extern void* __libc_stack_end;
}

namespace berth::sys {
namespace {

// The sanitizers' allocator has no heap between two addresses, and their programs need no speed.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kKnowsMemory = false;
#else
constexpr bool kKnowsMemory = true;
#endif

constexpr std::uintptr_t kPage = 4096;

std::uintptr_t heap_begin = 0;

void populate(std::uintptr_t begin, std::uintptr_t end, int advice) {
  begin &= ~(kPage - 1);
  if (begin < end) {
    // EINVAL before Linux 5.14, EFAULT, ENOMEM: then the pages come by faults, or the fault says what is wrong.
    static_cast<void>(::madvise(reinterpret_cast<void*>(begin), end - begin, advice));
  }
}

std::uintptr_t address(const void* place) {
  return reinterpret_cast<std::uintptr_t>(place);
}

}  // namespace

void populate_heap(std::size_t size) {
  if constexpr (kKnowsMemory) {
    constexpr int kNever = 1 << 30;
    ::mallopt(M_TRIM_THRESHOLD, kNever);
    ::mallopt(M_MMAP_THRESHOLD, kNever);
    void* const room = std::malloc(size);
    heap_begin = address(room);
    populate(heap_begin, heap_begin + size, MADV_POPULATE_WRITE);
    std::free(room);
  }
}

void populate_written() {
  if constexpr (kKnowsMemory) {
    constexpr std::uintptr_t kStackToCome = 4 * kPage;
    populate(address(__data_start), address(_end), MADV_POPULATE_WRITE);
    populate(address(__builtin_frame_address(0)) - kStackToCome, address(__libc_stack_end), MADV_POPULATE_WRITE);
    // The first pages of the heap hold the thread-local data and what was made before main().
    populate(address(&errno), address(&errno) + 2 * kPage, MADV_POPULATE_WRITE);
    if (heap_begin != 0) {
      constexpr std::uintptr_t kHeapToCome = 8 * kPage;
      const std::uintptr_t end = address(::sbrk(0));
      populate(heap_begin, std::min(end, end - ::mallinfo2().keepcost + kHeapToCome), MADV_POPULATE_WRITE);
    }
  }
}

void populate_code() {
  if constexpr (kKnowsMemory) {
    populate(address(berth_hot_process), address(berth_hot_end), MADV_POPULATE_READ);
  }
}

}  // namespace berth::sys
