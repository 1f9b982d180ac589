// What berth and its trampoline agree on. C: the trampoline has neither a C++ nor a C library.
#pragma once

#include <linux/types.h>

// NOLINTBEGIN(performance-enum-size,readability-identifier-naming): C, with C's names

// What the trampoline does before it executes the program, in this order.
enum {
  kSetsSelinuxLabel = 1U << 0U,     // for its next exec, the program's; closes the procfs
  kSetsApparmorProfile = 1U << 1U,  // the same
  kForks = 1U << 2U,                // becomes a new process in the pid namespace for its children; says Cloned
  kWritesListenPid = 1U << 3U,      // puts its own pid into the last LISTEN_PID= of the environment
  kControlsTerminal = 1U << 4U,     // stdin becomes its controlling terminal
  kSaysReady = 1U << 5U,            // with the terminal's master
  kAwaitsCommit = 1U << 6U,
  kAwaitsStart = 1U << 7U,  // on a new connection to the start socket
  kAnnounces = 1U << 8U,    // says Executing
  kConfines = 1U << 9U,     // loads the plan's filter and gives up the capabilities that were kept until here
};

// What failed, in the message TrampolineFailed; then comes errno, an int.
enum {
  kSelinuxLabelFailed,
  kApparmorProfileFailed,
  kForkFailed,
  kTerminalFailed,
  kFilterFailed,
  kCapabilitiesFailed,
  kExecFailed,
};

// Of channel::MessageType; trampoline.cpp holds them together.
enum {
  kMessageProceed = 0,
  kMessageCloned = 1,
  kMessageReady = 4,
  kMessageCommitted = 5,
  kMessageStart = 6,
  kMessageExecuting = 7,
  kMessageTrampolineFailed = 8,
};

// Follows the trampoline's code in its sealed file; the filter's instructions follow it. Capability sets are as
// capset(2) has them: low word first.
struct trampoline_plan {
  __u64 filter_flags;
  __u32 filter_length;       // instructions; 0: no filter
  __u32 filter_needs_admin;  // 1: to load it takes CAP_SYS_ADMIN, so that no capability is given up before
  __u32 effective[2];
  __u32 permitted[2];
  __u32 inheritable[2];
};
// NOLINTEND(performance-enum-size,readability-identifier-naming)
