// The last program before the container's own: two kilobytes that know nothing of the host and hold nothing of it.
//
// At the execve(2) of a program that the container chooses, /proc/self/exe of the calling process can be opened by that
// program: as its own path, or as the interpreter of a script (CVE-2019-5736). And whoever is let into the container's
// pid namespace meanwhile can look at a process that waits there. If either met berth's binary, the container could
// write to the host. So berth becomes this program first, from a sealed memory file, and this one becomes the
// container's. What is left to do by then is here too, because it comes after the waiting.
//
// argv: numbers in one text ("PHASES CHANNEL TERMINAL START_SOCKET PROCFS", -1 for no descriptor), the path to execute,
// what might speak against that path; for each label a file below the procfs and what to write to it; then the
// container's argv. It is freestanding: no libc, no relocations, no data.
#include "trampoline.h"

#include <asm/unistd.h>
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/signal.h>
#include <linux/socket.h>
#include <linux/time_types.h>
#include <linux/uio.h>

enum {
  kStatusOfFailure = 127,
  kSolSocket = 1,            // SOL_SOCKET
  kScmRights = 1,            // SCM_RIGHTS
  kMsgNoSignal = 0x4000,     // MSG_NOSIGNAL
  kTiocsctty = 0x540E,       // TIOCSCTTY
  kPollIn = 1,               // POLLIN
  kCloexec = 02000000,       // SOCK_CLOEXEC
  kStartMessageTimeout = 2,  // seconds
};

// The kernel's own forms of what the C library declares.
struct poll_entry {
  int fd;
  short events;
  short revents;
};
struct message_header {
  void* name;
  int name_length;
  struct iovec* parts;
  unsigned long part_count;
  void* control;
  unsigned long control_length;
  unsigned flags;
};
struct control_message {
  unsigned long length;
  int level;
  int type;
  int fd;
};

extern const struct trampoline_plan plan __attribute__((visibility("hidden")));

struct state {
  unsigned phases;
  long channel;
  long terminal;
  long start_socket;
  long procfs;
};

#if defined(__x86_64__)
static long system_call(long number, long first, long second, long third, long fourth, long fifth) {
  long result;
  register long r10 __asm__("r10") = fourth;
  register long r8 __asm__("r8") = fifth;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(first), "S"(second), "d"(third), "r"(r10), "r"(r8)
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
static long system_call(long number, long first, long second, long third, long fourth, long fifth) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = first;
  register long x1 __asm__("x1") = second;
  register long x2 __asm__("x2") = third;
  register long x3 __asm__("x3") = fourth;
  register long x4 __asm__("x4") = fifth;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
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

#define CALL1(name, a) system_call(__NR_##name, (long)(a), 0, 0, 0, 0)
#define CALL2(name, a, b) system_call(__NR_##name, (long)(a), (long)(b), 0, 0, 0)
#define CALL3(name, a, b, c) system_call(__NR_##name, (long)(a), (long)(b), (long)(c), 0, 0)
#define CALL4(name, a, b, c, d) system_call(__NR_##name, (long)(a), (long)(b), (long)(c), (long)(d), 0)

__attribute__((noreturn)) static void end(int status) {
  for (;;) {
    CALL1(exit_group, status);
  }
}

// With write(2): the filter, if it is loaded, allows that rather than sendmsg(2).
__attribute__((noreturn)) static void fail(const struct state* state, int what, long result) {
  const unsigned errnum = (unsigned)-result;
  const unsigned char message[] = {kMessageTrampolineFailed,       (unsigned char)what,
                                   (unsigned char)errnum,          (unsigned char)(errnum >> 8U),
                                   (unsigned char)(errnum >> 16U), (unsigned char)(errnum >> 24U)};
  CALL3(write, state->channel, message, sizeof message);
  end(kStatusOfFailure);
}

static unsigned long length_of(const char* text) {
  unsigned long length = 0;
  while (text[length] != 0) {
    ++length;
  }
  return length;
}

// One message of these parts; `fd` goes with it unless it is -1. Gives 0 or the error, negative.
static long send(long socket, struct iovec* parts, unsigned count, long fd) {
  struct control_message control = {
      sizeof control.length + sizeof control.level + sizeof control.type + sizeof control.fd, kSolSocket, kScmRights,
      (int)fd};
  struct message_header message = {0, 0, parts, count, 0, 0, 0};
  if (fd >= 0) {
    message.control = &control;
    message.control_length = sizeof control;
  }
  long result;
  do {
    result = CALL3(sendmsg, socket, &message, kMsgNoSignal);
  } while (result == -EINTR);
  return result < 0 ? result : 0;
}

static long send_type(long socket, unsigned char type, long fd) {
  struct iovec part = {&type, 1};
  return send(socket, &part, 1, fd);
}

// The type of the next message, or something negative.
static int receive_type(long socket) {
  unsigned char bytes[32];
  long length;
  do {
    length = CALL3(read, socket, bytes, sizeof bytes);
  } while (length == -EINTR);
  return length > 0 ? bytes[0] : -1;
}

static void control_process(int option, unsigned long argument) {
  CALL4(prctl, option, argument, 0, 0);
}

// Into `end` backwards; gives where the digits begin.
static char* write_number(unsigned long number, char* behind) {
  do {
    *--behind = (char)('0' + number % 10);
    number /= 10;
  } while (number != 0);
  return behind;
}

// Where berth itself did this, the label would be this program's.
static void set_label(const struct state* state, char* const* file_and_text, int what) {
  const long file = CALL4(openat, state->procfs, file_and_text[0], O_WRONLY | O_CLOEXEC, 0);
  if (file < 0) {
    fail(state, what, file);
  }
  const long length = (long)length_of(file_and_text[1]);
  const long result = CALL3(write, file, file_and_text[1], length);
  if (result != length) {
    fail(state, what, result < 0 ? result : -EIO);
  }
  CALL1(close, file);
}

// The process that the container sees begins here. CLONE_PARENT: it is the supervisor's child, as this one is.
static void fork_into_namespace(const struct state* state) {
  int pidfd = -1;
  struct clone_args arguments = {CLONE_PARENT | CLONE_PIDFD, (unsigned long)&pidfd, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  const long pid = CALL2(clone3, &arguments, sizeof arguments);
  if (pid < 0) {
    fail(state, kForkFailed, pid);
  }
  if (pid > 0) {
    char text[24];
    char* const behind = text + sizeof text;
    char* begin = write_number((unsigned long)pid, behind);
    *--begin = kMessageCloned;
    struct iovec part = {begin, (unsigned long)(behind - begin)};
    end(send(state->channel, &part, 1, pidfd) == 0 ? 0 : kStatusOfFailure);
  }
  control_process(PR_SET_PDEATHSIG, SIGKILL);
  if (receive_type(state->channel) != kMessageProceed) {
    end(kStatusOfFailure);  // the supervisor died: nobody is left to report to
  }
  // A session of its own: no job control of the caller's terminal, and no TIOCSTI into it (CVE-2017-5226).
  CALL1(setsid, 0);
  if ((state->phases & kControlsTerminal) != 0) {
    const long result = CALL3(ioctl, 0, kTiocsctty, 0);
    if (result < 0) {
      fail(state, kTerminalFailed, result);
    }
  }
  // The supervisor took this long; what follows outlives it, unless it dies before it says Committed.
  control_process(PR_SET_PDEATHSIG, 0);
}

static void write_listen_pid(char* const* environment) {
  static const char kName[] = "LISTEN_PID=";
  char* value = 0;
  for (; *environment != 0; ++environment) {
    unsigned index = 0;
    while (index < sizeof kName - 1 && (*environment)[index] == kName[index]) {
      ++index;
    }
    if (index == sizeof kName - 1) {
      value = *environment + index;
    }
  }
  if (value == 0) {
    return;
  }
  char text[24];
  char* const behind = text + sizeof text;
  const char* digit = write_number((unsigned long)CALL1(getpid, 0), behind);
  while (digit != behind && *value != 0) {
    *value++ = *digit++;
  }
  *value = 0;
}

static void await_commit(const struct state* state) {
  if (receive_type(state->channel) != kMessageCommitted) {
    end(kStatusOfFailure);  // the supervisor died before anybody knew of this process
  }
}

// `start` says Start right after it connected; whoever connects and says nothing (a status query does) is dropped.
static int says_start(long connection) {
  struct poll_entry polled = {(int)connection, kPollIn, 0};
  struct __kernel_timespec timeout = {kStartMessageTimeout, 0};
  long ready;
  do {
    ready = CALL4(ppoll, &polled, 1, &timeout, 0);
  } while (ready == -EINTR);
  return ready > 0 && receive_type(connection) == kMessageStart;
}

static void await_start(struct state* state) {
  static const char kName[] = "berth:[created]";
  control_process(PR_SET_NAME, (unsigned long)kName);
  CALL1(close, state->channel);
  for (;;) {
    const long connection = CALL4(accept4, state->start_socket, 0, 0, kCloexec);
    if (connection >= 0 && says_start(connection)) {
      state->channel = connection;
      break;
    }
    if (connection >= 0) {
      CALL1(close, connection);
    } else if (connection != -EINTR && connection != -ECONNABORTED) {
      end(kStatusOfFailure);
    }
  }
  CALL1(close, state->start_socket);
}

static void announce(const struct state* state, const char* path, const char* doubt) {
  unsigned char type = kMessageExecuting;
  struct iovec parts[] = {{&type, 1}, {(void*)path, length_of(path) + 1}, {(void*)doubt, length_of(doubt)}};
  // EPIPE: a `start` that was killed after it said Start. The container was started all the same.
  const long result = send(state->channel, parts, sizeof parts / sizeof parts[0], -1);
  if (result < 0 && result != -EPIPE) {
    end(kStatusOfFailure);
  }
}

struct capability_sets {
  struct __user_cap_header_struct header;
  struct __user_cap_data_struct words[_LINUX_CAPABILITY_U32S_3];
};

// What the program may have of what there is.
static void find_capabilities(const struct state* state, struct capability_sets* sets) {
  sets->header = (struct __user_cap_header_struct){_LINUX_CAPABILITY_VERSION_3, 0};
  const long result = CALL2(capget, &sets->header, sets->words);
  if (result < 0) {
    fail(state, kCapabilitiesFailed, result);
  }
  // This program's own exec has taken what no program could have kept: what is gone cannot be asked for.
  for (unsigned index = 0; index < _LINUX_CAPABILITY_U32S_3; ++index) {
    struct __user_cap_data_struct* word = &sets->words[index];
    word->permitted &= plan.permitted[index];
    word->effective &= plan.effective[index] & word->permitted;
    word->inheritable = plan.inheritable[index];
  }
}

static void set_capabilities(const struct state* state, struct capability_sets* sets) {
  const long result = CALL2(capset, &sets->header, sets->words);
  if (result < 0) {
    fail(state, kCapabilitiesFailed, result);
  }
}

static void load_filter(const struct state* state) {
  struct sock_fprog program = {(unsigned short)plan.filter_length, (struct sock_filter*)(&plan + 1)};
  const long result = CALL3(seccomp, SECCOMP_SET_MODE_FILTER, plan.filter_flags, &program);
  if (result != 0) {  // positive: a thread that SECCOMP_FILTER_FLAG_TSYNC could not take along
    fail(state, kFilterFailed, result < 0 ? result : -EBUSY);
  }
}

// As few calls as can be are made under the filter: it may forbid them.
static void confine(const struct state* state) {
  struct capability_sets sets;
  find_capabilities(state, &sets);
  if (plan.filter_needs_admin == 0) {
    set_capabilities(state, &sets);
  }
  if (plan.filter_length != 0) {
    load_filter(state);
  }
  if (plan.filter_needs_admin != 0) {
    set_capabilities(state, &sets);
  }
}

static long read_number(const char** text) {
  while (**text == ' ') {
    ++*text;
  }
  if (**text == '-') {
    *text += 2;
    return -1;
  }
  long number = 0;
  for (; **text >= '0' && **text <= '9'; ++*text) {
    number = number * 10 + (**text - '0');
  }
  return number;
}

__attribute__((used, noreturn)) void trampoline(const long* stack) {
  const long count = stack[0];
  char* const* arguments = (char* const*)(stack + 1);
  char* const* environment = arguments + count + 1;
  if (count < 4) {
    end(kStatusOfFailure);
  }
  const char* numbers = arguments[0];
  const char* path = arguments[1];
  char* const* program = arguments + 3;
  struct state state;
  state.phases = (unsigned)read_number(&numbers);
  state.channel = read_number(&numbers);
  state.terminal = read_number(&numbers);
  state.start_socket = read_number(&numbers);
  state.procfs = read_number(&numbers);

  if (state.phases != 0) {
    // It waits without filter and label, and execve(2) has made it dumpable: who has the same ids and capabilities
    // could take it over. With no phase a filter is loaded that may forbid this call, and the program is executed at
    // once.
    control_process(PR_SET_DUMPABLE, 0);
  }
  if ((state.phases & kSetsSelinuxLabel) != 0) {
    set_label(&state, program, kSelinuxLabelFailed);
    program += 2;
  }
  if ((state.phases & kSetsApparmorProfile) != 0) {
    set_label(&state, program, kApparmorProfileFailed);
    program += 2;
  }
  if (state.procfs >= 0) {
    CALL1(close, state.procfs);
  }
  if ((state.phases & kForks) != 0) {
    fork_into_namespace(&state);
  }
  if ((state.phases & kWritesListenPid) != 0) {
    write_listen_pid(environment);
  }
  if ((state.phases & kSaysReady) != 0) {
    if (send_type(state.channel, kMessageReady, state.terminal) < 0) {
      end(kStatusOfFailure);
    }
    CALL1(close, state.terminal);
  }
  if ((state.phases & kAwaitsCommit) != 0) {
    await_commit(&state);
  }
  if ((state.phases & kAwaitsStart) != 0) {
    await_start(&state);
  }
  if ((state.phases & kAnnounces) != 0) {
    announce(&state, path, arguments[2]);
  }
  // The container's program must not get the socket. Where a filter that is loaded already forbids fcntl(2), it is
  // closed at once, and only the reason of a failure is lost.
  if (state.channel >= 0 && CALL3(fcntl, state.channel, F_SETFD, FD_CLOEXEC) < 0 && CALL1(close, state.channel) < 0) {
    end(kStatusOfFailure);
  }
  if ((state.phases & kConfines) != 0) {
    confine(&state);
  }
  fail(&state, kExecFailed, CALL3(execve, path, program, environment));
}
