// A process in the memory of the one that makes it. Apart from clone_process(), because it takes a stack of its own and
// a few instructions that no compiler writes: the child must not return into frames that the parent still needs.
#include <berth/sys/process.hpp>

#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#define BERTH_KNOWS_SHARED_CLONE 0  // the sanitizer knows one stack only
#else
#define BERTH_KNOWS_SHARED_CLONE 1
#endif

extern "C" {
// clone3(2); in the child, which has a new stack, calls body(argument).
long berth_clone3(struct clone_args* arguments, std::size_t size, berth::sys::ProcessBody body, void* argument);
}

#if defined(__x86_64__)
#define BERTH_CLONE3_CODE                                         \
  "  endbr64\n"                                                   \
  "  movq %rcx, %r8\n" /* which the call keeps, as it does rdx */ \
  "  movl $435, %eax\n"                                           \
  "  syscall\n"                                                   \
  "  testq %rax, %rax\n"                                          \
  "  jz 1f\n"                                                     \
  "  ret\n"                                                       \
  "1:\n"                                                          \
  "  .cfi_undefined rip\n"                                        \
  "  xorl %ebp, %ebp\n"                                           \
  "  movq %r8, %rdi\n"                                            \
  "  call *%rdx\n"                                                \
  "  ud2\n"
#elif defined(__aarch64__)
#define BERTH_CLONE3_CODE  \
  "  bti c\n"              \
  "  mov x8, #435\n"       \
  "  svc #0\n"             \
  "  cbz x0, 1f\n"         \
  "  ret\n"                \
  "1:\n"                   \
  "  .cfi_undefined x30\n" \
  "  mov x29, xzr\n"       \
  "  mov x0, x3\n"         \
  "  blr x2\n"             \
  "  brk #1\n"
#else
#error "shared_clone.cpp knows x86_64 and aarch64"
#endif

// clang-format off
__asm__(
    ".pushsection .text.berth_clone3,\"ax\",@progbits\n"
    ".globl berth_clone3\n"
    ".hidden berth_clone3\n"
    ".type berth_clone3, @function\n"
    "berth_clone3:\n"
    "  .cfi_startproc\n"
    BERTH_CLONE3_CODE
    "  .cfi_endproc\n"
    ".size berth_clone3, . - berth_clone3\n"
    ".popsection\n");
// clang-format on

namespace berth::sys {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kStack = 64 * kPage;
constexpr std::size_t kUsualStack = 8 * kPage;  // what a start takes of it

// A stack with a page below it that nobody may touch.
class Stack {
 public:
  static Result<Stack> create() {
    void* const memory =
        ::mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) {
      return sys_fail(errno, "mmap a stack");
    }
    Stack stack(static_cast<std::byte*>(memory));
    if (::mprotect(memory, kPage, PROT_NONE) < 0) {
      return sys_fail(errno, "mprotect a stack");
    }
    // See memory.hpp.
    static_cast<void>(::madvise(stack.begin_ + (kStack - kUsualStack), kUsualStack, MADV_POPULATE_WRITE));
    return stack;
  }
  Stack(Stack&& other) noexcept : begin_(std::exchange(other.begin_, nullptr)) {}
  Stack& operator=(Stack&&) = delete;
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;
  ~Stack() {
    if (begin_ != nullptr) {
      ::munmap(begin_, kStack);
    }
  }
  [[nodiscard]] std::uint64_t begin() const { return reinterpret_cast<std::uintptr_t>(begin_); }

 private:
  explicit Stack(std::byte* begin) : begin_(begin) {}
  std::byte* begin_;
};

}  // namespace

bool knows_shared_memory() {
  return BERTH_KNOWS_SHARED_CLONE != 0;
}

Result<ClonedProcess> clone_sharing_memory(std::uint64_t flags, int cgroup, ProcessBody body, void* argument) {
  const Stack stack = TRY(Stack::create());
  int pidfd = -1;
  clone_args arguments{};
  arguments.flags = flags | CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_INTO_CGROUP;
  arguments.pidfd = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(&pidfd));
  arguments.exit_signal = SIGCHLD;
  arguments.stack = stack.begin();
  arguments.stack_size = kStack;
  arguments.cgroup = static_cast<unsigned>(cgroup);
  const long pid = berth_clone3(&arguments, sizeof arguments, body, argument);
  if (pid < 0) {
    return sys_fail(static_cast<int>(-pid), "clone3(flags {:#x})", arguments.flags);
  }
  return ClonedProcess{static_cast<pid_t>(pid), Pidfd(UniqueFd(pidfd))};
}

}  // namespace berth::sys
