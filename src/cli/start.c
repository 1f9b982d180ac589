// Where the program begins: _start of the C library comes after it.
//
// A position-independent static program writes to a dozen pages of its own data before main(), to relocate itself, and
// each first write is a fault (see sys/memory.hpp). Here all of them are made present in one call, and so is the code
// that a start executes. No library can be called yet, and nothing that needs a relocation.
#include <asm/mman.h>
#include <asm/unistd.h>

// The linker's: where the writable segment begins, but for the initial thread-local data, and where it ends; the code
// that link_order.ld puts together.
extern char __preinit_array_start[] __attribute__((visibility("hidden")));
extern char _end[] __attribute__((visibility("hidden")));
extern char berth_hot_begin[] __attribute__((visibility("hidden")));
extern char berth_hot_end[] __attribute__((visibility("hidden")));

enum { kPage = 4096, kStack = 8 * kPage };

#if defined(__x86_64__)
static void populate(const char* begin, const char* end, int advice) {
  const unsigned long from = (unsigned long)begin & ~(kPage - 1UL);
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(__NR_madvise), "D"(from), "S"((unsigned long)end - from), "d"(advice)
                   : "rcx", "r11", "memory");
}

// rdx is what the kernel tells _start, and rsp points to the arguments.
__asm__(
    ".globl berth_start\n"
    "berth_start:\n"
    "  endbr64\n"
    "  xorl %ebp, %ebp\n"
    "  movq %rsp, %rdi\n"
    "  pushq %rdx\n"
    "  pushq %rdx\n"
    "  call berth_populate\n"
    "  popq %rdx\n"
    "  popq %rdx\n"
    "  jmp _start\n");
#elif defined(__aarch64__)
static void populate(const char* begin, const char* end, int advice) {
  register long x8 __asm__("x8") = __NR_madvise;
  register long x0 __asm__("x0") = (long)begin & ~(kPage - 1L);
  register long x1 __asm__("x1") = (long)end - ((long)begin & ~(kPage - 1L));
  register long x2 __asm__("x2") = advice;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
}

// x0 is what the kernel tells _start, and sp points to the arguments.
__asm__(
    ".globl berth_start\n"
    "berth_start:\n"
    "  bti c\n"
    "  stp x0, xzr, [sp, #-16]!\n"
    "  add x0, sp, #16\n"
    "  bl berth_populate\n"
    "  ldp x0, xzr, [sp], #16\n"
    "  b _start\n");
#else
#error "start.c knows x86_64 and aarch64"
#endif

__attribute__((used)) void berth_populate(const char* stack) {
  populate(__preinit_array_start, _end, MADV_POPULATE_WRITE);
  populate(stack - kStack, stack, MADV_POPULATE_WRITE);
  populate(berth_hot_begin, berth_hot_end, MADV_POPULATE_READ);
}
