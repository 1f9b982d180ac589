"""process.terminal: a pseudo-terminal of the container's own devpts, handed over by --console-socket."""

import contextlib
import json
import os
import select
import signal
import subprocess
import time

import pytest

from harness.runtime import exit_status
from harness.terminal import ConsoleSocket


def terminal(**settings):
    def change(config):
        config["process"].update(terminal=True, **settings)
    return change


@pytest.fixture
def console(tmp_path):
    with ConsoleSocket(str(tmp_path / "console.sock")) as made:
        yield made


def run_with_terminal(container, bundle, console, *probe_args, change=terminal()):
    made = bundle(*probe_args, change=change)
    box = container(made)
    with box:
        box.must("create", "--console-socket", console.path)
        console.receive()
        pid = box.pid
        box.must("start")
        output = console.read_until("}\r\n")
        assert exit_status(pid) == 0
    return json.loads(output)


def test_terminal_of_the_container(container, bundle, console):
    seen = run_with_terminal(container, bundle, console, "report", "--stat", "/dev/console")
    assert seen["terminal"]["stdin_is_terminal"]
    assert seen["terminal"]["controlling_tty"] == 0
    for fd in ("0", "1", "2"):
        assert seen["fds"][fd]["link"] in ("/dev/pts/0", "/dev/console")
    assert set(seen["fds"]) == {"0", "1", "2"}
    assert seen["stats"]["/dev/console"]["type"] == "char"
    assert seen["stats"]["/dev/console"]["major"] == 136
    assert seen["sid"] == 1


def test_console_size(container, bundle, console):
    seen = run_with_terminal(container, bundle, console, "report",
                             change=terminal(consoleSize={"height": 33, "width": 121}))
    assert (seen["terminal"]["rows"], seen["terminal"]["columns"]) == (33, 121)


def test_terminal_of_a_user(container, bundle, console):
    seen = run_with_terminal(container, bundle, console, "report", "--try", "write:/dev/tty", "--stat", "/dev/console",
                             change=terminal(user={"uid": 1000, "gid": 1000}))
    assert seen["stats"]["/dev/console"]["uid"] == 1000
    assert seen["tries"]["write:/dev/tty"] == 0


def test_input_reaches_the_container(container, bundle, console):
    with container(bundle("cat", change=terminal())) as box:
        box.must("create", "--console-socket", console.path)
        master = console.receive()
        box.must("start")
        os.write(master, b"hello\n")
        console.read_until("hello\r\nhello\r\n")
        pid = box.pid
        os.write(master, b"\x04")
        assert exit_status(pid) == 0


def test_console_socket_that_nobody_listens_to(container, bundle, tmp_path):
    with container(bundle("exit", 0, change=terminal())) as box:
        error = box.create("--console-socket", str(tmp_path / "none")).error
        assert str(tmp_path / "none") in error and "No such file or directory" in error


def test_foreground_run_with_a_terminal(container, bundle, runtime, view):
    """The caller's terminal shows the container's, and its size is handed on."""
    # script(1) types an end of file into the terminal when its own stdin ends: this one stays open.
    stdin, keeps_stdin_open = os.pipe()
    with container(bundle("report", change=terminal())) as box, os.fdopen(stdin), os.fdopen(keeps_stdin_open, "w"):
        command = " ".join(runtime.command("run", "--bundle", box.bundle.path, box.id))
        done = subprocess.run(["script", "-qec", f"stty rows 44 cols 132; {command}", "/dev/null"], capture_output=True,
                              text=True, timeout=20, check=False, stdin=stdin,
                              preexec_fn=lambda: view.enter("/"))
        assert done.returncode == 0, done
        seen = json.loads(done.stdout[done.stdout.index("{"):])
        assert seen["terminal"]["stdin_is_terminal"]
        assert (seen["terminal"]["rows"], seen["terminal"]["columns"]) == (44, 132)


@contextlib.contextmanager
def flooding(container, bundle, runtime):
    """A foreground run whose program writes without end and reads nothing; gives its process, its caller's
    terminal and the container."""
    caller, terminal_of_caller = os.openpty()
    with container(bundle("flood", change=terminal())) as box:
        process = runtime.popen("run", "--bundle", box.bundle.path, box.id, stdin=terminal_of_caller,
                                stdout=terminal_of_caller, stderr=terminal_of_caller)
        os.close(terminal_of_caller)
        try:
            read_some(caller, 10_000)
            yield process, caller, box
        finally:
            process.kill()
            process.wait()
            os.close(caller)


def read_some(fd, size, seconds=5):
    deadline = time.monotonic() + seconds
    while size > 0:
        assert time.monotonic() < deadline, f"{size} more bytes did not come"
        if select.select([fd], [], [], 0.05)[0]:
            size -= len(os.read(fd, 65536))


def end_of(process, caller, seconds=5):
    """The exit status of a run, whose output must be read until then."""
    deadline = time.monotonic() + seconds
    while process.poll() is None:
        assert time.monotonic() < deadline, "the run did not end"
        if select.select([caller], [], [], 0.05)[0]:
            with contextlib.suppress(OSError):  # EIO: the run has closed its end
                os.read(caller, 65536)
    return process.returncode


def test_interrupt_key_in_a_flood_of_output(container, bundle, runtime):
    """What is typed reaches a program that writes faster than anybody reads."""
    with flooding(container, bundle, runtime) as (process, caller, _):
        os.write(caller, b"\x03")
        assert end_of(process, caller) == 7


def test_signal_in_a_flood_of_output(container, bundle, runtime):
    with flooding(container, bundle, runtime) as (process, caller, _):
        process.send_signal(signal.SIGINT)
        assert end_of(process, caller) == 7


def test_input_that_nobody_reads(container, bundle, runtime):
    """More input than a terminal holds does not stop the output, nor the end."""
    with flooding(container, bundle, runtime) as (process, caller, box):
        os.set_blocking(caller, False)
        for _ in range(50):
            with contextlib.suppress(BlockingIOError):
                os.write(caller, b"typed line\n" * 400)
            read_some(caller, 10_000)
        box.must("kill", "KILL")
        assert end_of(process, caller) == 128 + 9
