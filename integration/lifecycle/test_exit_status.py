"""`run` ends as the container's program did."""

import os
import signal
import time

import pytest

from harness.runtime import exit_status, wait_until


@pytest.mark.parametrize("code", [0, 1, 3, 127, 255])
def test_run_exits_with_the_status_of_the_program(run, code):
    assert run("exit", code).status == code


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_run_exits_with_128_and_the_signal(container, bundle, number):
    # A signal that pid 1 has no handler for is dropped within its own pid namespace: it must come from outside.
    with container(bundle("sleep")) as box:
        process = box.background()
        pid = wait_until(lambda: running_pid(box), what="running container")
        os.kill(pid, signal.SIGKILL)
        assert process.wait(5) == 128 + signal.SIGKILL
    # Without a pid namespace every signal works.
    with container(bundle("signal", int(number), change=without_pid_namespace)) as box:
        assert box.run().status == 128 + number


def without_pid_namespace(config):
    config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] != "pid"]


def running_pid(box):
    """The container's pid, once it runs the program."""
    result = box.runtime("state", box.id)
    if result.ok and result.json["status"] == "running":
        return result.json["pid"]
    return None


def test_run_writes_nothing_of_its_own(run):
    result = run("echo", "hello")
    assert (result.stdout, result.stderr) == ("hello\n", "")


def test_stdin_reaches_the_program(run):
    assert run("cat", input="some text\n").stdout == "some text\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_run_forwards_signals(container, bundle, number):
    made = bundle("trap", int(number))
    output = made.file("output")
    with container(made) as box, open(output, "r+b") as out:
        process = box.background(stdout=out)
        wait_until(lambda: open(output).read() == "ready\n", what="ready")
        process.send_signal(number)
        assert process.wait(5) == 0
    assert open(output).read() == f"ready\nsignal {int(number)}\n"


def test_run_waits_for_the_program_alone(container, bundle):
    """A process that the program left behind ends with its pid namespace."""
    with container(bundle("orphan")) as box:
        result = box.run()
        assert result.ok
        assert result.seconds < 2


def test_run_deletes_the_container_at_the_end(container, bundle, runtime):
    with container(bundle("exit", 0)) as box:
        box.must("run")
        assert "does not exist" in runtime("state", box.id).error


def test_keep_keeps_the_container(container, bundle):
    with container(bundle("exit", 7)) as box:
        assert box.run("--keep").status == 7
        assert box.state()["status"] == "stopped"
        assert box.state()["pid"] == 0
        box.must("delete")


def test_detach_returns_while_the_container_runs(container, bundle):
    with container(bundle("sleep")) as box:
        box.must("run", "--detach")
        state = box.state()
        assert state["status"] == "running"
        box.must("kill", "KILL")
        assert exit_status(state["pid"]) == 128 + signal.SIGKILL
        assert box.status == "stopped"
        box.must("delete")


def test_detached_container_gives_its_status_to_who_adopts_it(container, bundle):
    with container(bundle("exit", 42)) as box:
        box.must("create")
        pid = box.pid
        box.must("start")
        assert exit_status(pid) == 42
        assert box.status == "stopped"


def test_many_short_runs_keep_their_status(container, bundle):
    """A lost SIGCHLD or a mixed-up wait shows as a hang or a wrong status."""
    made = bundle("exit", 5)
    begin = time.monotonic()
    for _ in range(25):
        with container(made) as box:
            assert box.run().status == 5
    assert time.monotonic() - begin < 20


def test_caller_that_ignores_sigchld(container, bundle):
    """The kernel forgets the status of children of such a process, and exec does not change that."""
    with container(bundle("exit", 5)) as box:
        result = box.run(preexec=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        assert result.status == 5, result
