// The last program before the container's own: a few hundred bytes that know nothing and hold nothing.
//
// At the execve(2) of a program that the container chooses, /proc/self/exe of the calling process can be opened by that
// program: as its own path, or as the interpreter of a script (CVE-2019-5736). If it were berth's binary, the container
// could write to the host. So berth first becomes this program, from a sealed memory file, and this one becomes
// the container's.
//
// argv: the number of a socket (or an empty text), the path to execute, then the container's argv. A failure is one
// message on the socket: the type ExecFailed and errno. It is freestanding: no libc, no relocations, no data.

enum {
  kExecFailed = 8,  // channel::MessageType::kExecFailed, held together by a static_assert in exec_program.cpp
  kFSetFd = 2,
  kFdCloexec = 1,
  kStatusOfFailure = 127,
};

#if defined(__x86_64__)
enum { kSysWrite = 1, kSysClose = 3, kSysExecve = 59, kSysFcntl = 72, kSysExitGroup = 231 };

static long system_call(long number, long first, long second, long third) {
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(first), "S"(second), "d"(third)
                   : "rcx", "r11", "memory");
  return result;
}

__asm__(
    ".globl _start\n"
    "_start:\n"
    "  endbr64\n"
    "  xorl %ebp, %ebp\n"
    "  movq %rsp, %rdi\n"
    "  andq $-16, %rsp\n"
    "  call trampoline\n"
    "  hlt\n");
#elif defined(__aarch64__)
enum { kSysFcntl = 25, kSysClose = 57, kSysWrite = 64, kSysExitGroup = 94, kSysExecve = 221 };

static long system_call(long number, long first, long second, long third) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = first;
  register long x1 __asm__("x1") = second;
  register long x2 __asm__("x2") = third;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
  return x0;
}

__asm__(
    ".globl _start\n"
    "_start:\n"
    "  bti c\n"
    "  mov x29, #0\n"
    "  mov x0, sp\n"
    "  bl trampoline\n"
    "  brk #0\n");
#else
#error "The trampoline knows x86_64 and aarch64"
#endif

__attribute__((used, noreturn)) void trampoline(const long* stack) {
  const long count = stack[0];
  char* const* arguments = (char* const*)(stack + 1);
  char* const* environment = arguments + count + 1;

  long socket = -1;
  if (count >= 3) {
    socket = *arguments[0] != 0 ? 0 : -1;
    for (const char* digit = arguments[0]; *digit != 0; ++digit) {
      socket = socket * 10 + (*digit - '0');
    }
    // The container's program must not get the socket. Where a filter forbids fcntl(2), it is closed at once, and
    // only the reason of a failure is lost.
    if (socket >= 0 && system_call(kSysFcntl, socket, kFSetFd, kFdCloexec) < 0 &&
        system_call(kSysClose, socket, 0, 0) < 0) {
      goto end;
    }
    const long result = system_call(kSysExecve, (long)arguments[1], (long)(arguments + 2), (long)environment);
    char message[1 + sizeof(int)];
    const int errnum = (int)-result;
    message[0] = kExecFailed;
    for (unsigned index = 0; index < sizeof errnum; ++index) {
      message[1 + index] = (char)((unsigned)errnum >> (8 * index));
    }
    system_call(kSysWrite, socket, (long)message, sizeof message);
  }
end:
  for (;;) {
    system_call(kSysExitGroup, kStatusOfFailure, 0, 0);
  }
}
