"""kill: signals by name and number, to the first process or all."""

import signal
import subprocess

import pytest

from harness.marks import both_views
from harness.runtime import exit_status, wait_until


@pytest.mark.parametrize("name, number", [("TERM", 15), ("SIGTERM", 15), ("term", 15), ("15", 15), ("USR1", 10), ("HUP", 1),
                                          ("SIGRTMIN", 34), ("RTMIN+1", 35), ("64", 64)])
def test_signal_names(container, bundle, name, number):
    made = bundle("trap", number)
    output = made.file("output")
    with container(made) as box, open(output, "r+b") as out:
        box.must("create", stdout=out)
        pid = box.pid
        box.must("start")
        wait_until(lambda: open(output).read() == "ready\n", what="ready")
        box.must("kill", name)
        assert exit_status(pid) == 0
    assert open(output).read() == f"ready\nsignal {number}\n"


def test_term_is_the_default(container, bundle):
    made = bundle("trap", 15)
    output = made.file("output")
    with container(made) as box, open(output, "r+b") as out:
        box.must("create", stdout=out)
        pid = box.pid
        box.must("start")
        wait_until(lambda: open(output).read() == "ready\n", what="ready")
        box.must("kill")
        assert exit_status(pid) == 0


@pytest.mark.parametrize("name", ["NOSUCH", "65", "-1", "", "9x", "SIG", "4294967305"])
def test_unknown_signal(container, bundle, name):
    with container(bundle("sleep")) as box:
        box.must("create")
        before = box.state()
        error = box.runtime("kill", "--", box.id, name).error
        assert "signal" in error.lower()
        assert box.state() == before


@both_views
def test_kill_all_reaches_every_process(container, bundle):
    def change(config):
        config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] != "pid"]

    with container(bundle("children", 3, change=change)) as box:
        box.must("create")
        pid = box.pid
        box.must("start")
        processes = wait_until(lambda: len(box.runtime("ps", "--format", "json", box.id).json) == 4 and
                               box.runtime("ps", "--format", "json", box.id).json, what="4 processes")
        assert pid in processes
        box.must("kill", "--all", "KILL")
        assert exit_status(pid) == 128 + signal.SIGKILL
        for process in set(processes) - {pid}:
            exit_status(process)
        assert box.status == "stopped"
        box.must("delete")


@both_views
def test_delete_kills_what_outlived_the_first_process(container, bundle):
    """Without a pid namespace the first process takes nobody with it."""
    def change(config):
        config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] != "pid"]

    with container(bundle("children", 2, change=change)) as box:
        box.must("create")
        pid = box.pid
        box.must("start")
        wait_until(lambda: len(box.runtime("ps", "--format", "json", box.id).json) == 3, what="3 processes")
        box.must("kill", "KILL")
        exit_status(pid)
        box.must("delete", "--force")


def test_kill_of_a_paused_container(container, bundle):
    """SIGKILL ends frozen processes too."""
    with container(bundle("sleep")) as box:
        box.must("create")
        pid = box.pid
        box.must("start")
        box.must("pause")
        box.must("kill", "KILL")
        box.resume()
        assert exit_status(pid) == 128 + signal.SIGKILL


def test_process_that_ends_just_then(container, bundle):
    """Between the look at it and the signal: CRI-O takes these words, case and all, for an end that it need not report."""
    with container(bundle("sleep")) as box:
        box.must("create")
        done = subprocess.run(["strace", "-qq", "-o", "/dev/null", "-e", "inject=pidfd_send_signal:error=ESRCH",
                               *box.runtime.command("kill", box.id, "TERM")], capture_output=True, text=True, check=False,
                              preexec_fn=lambda: box.runtime.view.enter("/"))
        assert (done.returncode, done.stderr) == (1, f'berth: kill "{box.id}": container not running\n')
