"""process.terminal: a pseudo-terminal of the container's own devpts, handed over by --console-socket."""

import json
import os
import subprocess

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
