// How the listener of a filter that notifies gets from the container's process to the seccomp agent.
//
// Whatever the process does between loading the filter and its exec could be a call that the filter notifies, or
// forbids: nobody could answer yet. So it does nothing: it leaves the listener's number in shared memory and waits,
// without a system call, until the supervisor has copied the descriptor and the agent has it.
#pragma once

#include <berth/base/error.hpp>
#include <berth/channel/channel.hpp>
#include <berth/launch/supervisor.hpp>
#include <berth/security/seccomp.hpp>
#include <berth/sys/process.hpp>
#include <berth/sys/shared_word.hpp>

namespace berth::launch {

/// The container's process: loads the filter and returns when the agent has its listener. The supervisor must have the
/// word's descriptor already (it goes with Executing). Makes no system call but seccomp(2), and ends the process when
/// the supervisor died.
Status load_and_offer(const security::FilterProgram& filter, sys::SharedWord& word);

/// The supervisor: waits for the listener, hands it to the receiver, and lets the process go on. Returns without an
/// error if the process ends or says something instead. On failure the process is killed: it is under a filter that
/// nobody answers.
Status serve_listener(sys::UniqueFd word, const channel::Channel& channel, const sys::Pidfd& pidfd,
                      const SeccompReceiver& receiver);

}  // namespace berth::launch
