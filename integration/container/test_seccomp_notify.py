"""Calls that a seccomp filter leaves to an agent: who gets the listener, with what, and when."""

import base64
import errno
import os
import struct

import pytest

from harness.runtime import exit_status
from harness.seccomp_agent import Agent

GETPGRP, WRITE, SENDMSG, EXECVE, EXECVEAT, CAPSET = 111, 1, 46, 59, 322, 126
NOTIFY_GETPGRP = [{"names": ["getpgrp"], "action": "SCMP_ACT_NOTIFY"}]


def notify(path, syscalls=NOTIFY_GETPGRP, **more):
    def change(config):
        config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
                                      "listenerPath": path, "syscalls": syscalls, **more}
    return change


@pytest.fixture
def path(directory):
    return os.path.join(directory, "agent.sock")


TRY = ("--try", f"syscall:{GETPGRP}")


@pytest.mark.parametrize("nnp", [True, False])
@pytest.mark.parametrize("uid", [0, 1000])
def test_the_agent_answers(report, path, nnp, uid):
    def change(config):
        notify(path)(config)
        config["process"]["noNewPrivileges"] = nnp
        config["process"]["user"] = {"uid": uid, "gid": uid}

    with Agent(path, {GETPGRP: errno.EDOM}) as agent:
        seen = report(*TRY, change=change)
    assert seen.tries[f"syscall:{GETPGRP}"] == errno.EDOM
    assert agent.seen == [GETPGRP]


def test_the_container_process_state(container, bundle, path):
    """One document a connection, one descriptor, and the end of the stream."""
    made = bundle("report", *TRY, change=notify(path, listenerMetadata="some=\"data\""))
    made.config["annotations"] = {"a": "b"}
    made.write()
    with Agent(path) as agent, container(made) as box:
        box.must("create")
        assert agent.document is None
        state = box.state()
        box.must("start")
        assert exit_status(state["pid"]) == 0
    assert agent.document == {"ociVersion": "1.3.0", "fds": ["seccompFd"], "pid": state["pid"], "metadata": "some=\"data\"",
                              "state": {**state, "status": "created"}}
    assert (agent.fd_count, agent.more) == (1, b"")
    assert agent.seen == [GETPGRP]


def test_the_program_does_not_get_the_listener(run, path):
    with Agent(path):
        result = run("report", "--list", "/proc/self/fd", change=notify(path))
    without = run("report", "--list", "/proc/self/fd")
    assert set(result.report.lists["/proc/self/fd"]) == set(without.report.lists["/proc/self/fd"])


@pytest.mark.parametrize("names", [["write", "sendmsg", "sendto"], ["execve", "execveat", "capset", "exit_group"]])
def test_calls_of_the_runtime_itself(run, path, names):
    """Nothing of the handing over is a call of the container's process."""
    with Agent(path) as agent:
        result = run("report", *TRY, change=notify(path, [{"names": names, "action": "SCMP_ACT_NOTIFY"}]))
    assert result.report.tries[f"syscall:{GETPGRP}"] == 0
    assert agent.seen and not set(agent.seen) & {GETPGRP}


def test_every_call(run, path):
    with Agent(path) as agent:
        result = run("exit", 7, change=notify(path, [], defaultAction="SCMP_ACT_NOTIFY"))
    assert (result.status, result.stderr) == (7, "")
    assert EXECVE in agent.seen and EXECVEAT in agent.seen


def test_the_other_calls_of_the_runtime_may_be_forbidden(run, path):
    """A profile for the program alone, without sendmsg, futex and the like."""
    allowed = ["execve", "execveat", "fcntl", "exit_group", "brk", "arch_prctl", "set_tid_address", "set_robust_list", "rseq",
               "prlimit64", "readlinkat", "readlink", "getrandom", "mprotect", "uname"]
    with Agent(path):
        result = run("exit", 7, change=notify(path, [{"names": allowed, "action": "SCMP_ACT_ALLOW"}] + NOTIFY_GETPGRP,
                                              defaultAction="SCMP_ACT_KILL_PROCESS"))
    assert (result.status, result.stderr) == (7, "")


def test_flags(report, path):
    flags = ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC",
             "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]
    with Agent(path, {GETPGRP: errno.EDOM}):
        seen = report(*TRY, change=notify(path, flags=flags))
    assert seen.tries[f"syscall:{GETPGRP}"] == errno.EDOM


def test_in_a_user_namespace(report, path):
    def change(config):
        notify(path)(config)
        config["linux"]["namespaces"].append({"type": "user"})
        config["linux"]["uidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        config["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        config["process"]["user"] = {"uid": 1000, "gid": 1000}

    with Agent(path, {GETPGRP: errno.EDOM}):
        seen = report(*TRY, change=change)
    assert seen.tries[f"syscall:{GETPGRP}"] == errno.EDOM


def test_the_receiver_of_the_annotation(report, path):
    def change(config):
        notify(path)(config)
        del config["linux"]["seccomp"]["listenerPath"]
        config["annotations"] = {"run.oci.seccomp.receiver": path}

    with Agent(path, {GETPGRP: errno.EDOM}) as agent:
        seen = report(*TRY, change=change)
    assert seen.tries[f"syscall:{GETPGRP}"] == errno.EDOM
    assert "metadata" not in agent.document


def test_without_notifications_the_path_is_ignored(report, path):
    seen = report(*TRY, change=notify(path, [{"names": ["getpgrp"], "action": "SCMP_ACT_ERRNO"}]))
    assert seen.tries[f"syscall:{GETPGRP}"] == errno.EPERM


def test_nobody_listens(container, bundle, path):
    """"If sending to this socket fails, the runtime MUST generate an error.\""""
    made = bundle("sleep", change=notify(path))
    with container(made) as box:
        error = box.run().error
        assert "seccomp listener" in error and path in error and "No such file" in error
    with container(made) as box:
        box.must("create")
        pid = box.pid
        assert path in box.start().error
        assert exit_status(pid) == 137
        box.wait_status("stopped")


def test_start_container_hooks_have_no_listener(run, path):
    """A notified call of theirs answers ENOSYS; the program's own go to the agent."""
    def change(config):
        notify(path)(config)
        config["hooks"] = {"startContainer": [{"path": "/probe", "args": ["probe", "report", *TRY]}]}

    with Agent(path) as agent:
        result = run("exit", 0, change=change)
    assert result.ok, result
    assert agent.seen == []


# ---------------------------------------------------------------------------------------- what crun has besides

def program(*instructions):
    return base64.b64encode(b"".join(struct.pack("=HBBI", *i) for i in instructions)).decode()


LOAD_NUMBER, ALLOW = (0x20, 0, 0, 0), (0x06, 0, 0, 0x7FFF0000)


def returns(value):
    return program(LOAD_NUMBER, (0x15, 0, 1, GETPGRP), (0x06, 0, 0, value), ALLOW)


def test_a_compiled_filter_in_place_of_the_profile(report):
    def change(config):
        config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_KILL"}
        config["annotations"] = {"run.oci.seccomp_bpf_data": returns(0x00050000 | errno.EDOM)}

    assert report(*TRY, change=change).tries[f"syscall:{GETPGRP}"] == errno.EDOM


def test_a_compiled_filter_that_notifies(report, path):
    def change(config):
        config["annotations"] = {"run.oci.seccomp_bpf_data": returns(0x7FC00000), "run.oci.seccomp.receiver": path}

    with Agent(path, {GETPGRP: errno.EDOM}):
        seen = report(*TRY, change=change)
    assert seen.tries[f"syscall:{GETPGRP}"] == errno.EDOM


@pytest.mark.parametrize("annotations, wanted", [
    ({"run.oci.seccomp_bpf_data": "AAAA"}, "/annotations/run.oci.seccomp_bpf_data: got"),
    ({"run.oci.seccomp_bpf_data": "!"}, "/annotations/run.oci.seccomp_bpf_data: got"),
    ({"run.oci.seccomp_bpf_data": returns(0x7FC00000)}, "/linux/seccomp/listenerPath: got nothing"),
    ({"run.oci.seccomp.receiver": "agent.sock"}, "/annotations/run.oci.seccomp.receiver: got"),
    ({"run.oci.seccomp_fail_unknown_syscall": "1"}, "/linux/seccomp/syscalls/0/names/1: got \"no_such_call\""),
])
def test_bad_annotations(run, annotations, wanted):
    def change(config):
        notify("", [{"names": ["getpgrp", "no_such_call"], "action": "SCMP_ACT_ERRNO"}])(config)
        config["annotations"] = annotations

    assert wanted in run("exit", 0, change=change).error
