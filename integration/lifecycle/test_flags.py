"""Flags of create and run that change what the process inherits."""

import contextlib
import json
import os
import select
import signal
import subprocess
import time

import pytest

from harness import libc
from harness.runtime import exit_status


def test_bundle_is_the_working_directory_by_default(bundle, container):
    made = bundle("exit", 3)
    with container(made) as box:
        assert box.runtime("run", box.id, cwd=made.path).status == 3
        assert box.runtime("run", "-b", made.path, box.id).status == 3


def test_only_the_standard_descriptors_are_inherited(report):
    with open("/etc/passwd") as file:
        os.set_inheritable(file.fileno(), True)
        seen = report(pass_fds=(file.fileno(),))
    assert set(seen.fds) == {"0", "1", "2"}


def test_preserve_fds(bundle, container):
    read, write = os.pipe()
    extra = [os.open("/dev/null", os.O_RDONLY) for _ in range(2)]

    def only_three_and_four():
        os.dup2(read, 60)
        os.dup2(extra[0], 61)
        os.dup2(60, 3)
        os.dup2(61, 4)
        for fd in (3, 4):
            os.set_inheritable(fd, True)

    try:
        with container(bundle("report")) as box:
            seen = box.run("--preserve-fds", "2", preexec=only_three_and_four, close_fds=False).report
            assert set(seen.fds) == {"0", "1", "2", "3", "4"}
            assert seen.fds["3"]["link"].startswith("pipe:")
            assert seen.fds["4"]["link"] == "/dev/null"
    finally:
        for fd in [read, write, *extra]:
            os.close(fd)


def test_preserve_fds_that_do_not_exist(bundle, container):
    with container(bundle("exit", 0)) as box:
        assert "3" in box.run("--preserve-fds", "1").error


def run_with(redirections, box, *flags, log):
    """`run` by a shell that changes descriptors first, with a log file."""
    command = [box.runtime.binary, "--root", box.runtime.root, "--log", log, "--log-format", "json", "run", "--bundle",
               box.bundle.path, *flags, box.id]
    return subprocess.run(["sh", "-c", f'exec "$@" {redirections}', "sh", *command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20)


def test_preserve_fds_never_hands_out_the_log(bundle, container, tmp_path):
    """A descriptor that the caller promised and did not open: the log file took its number."""
    with container(bundle("report")) as box:
        result = run_with("3<&-", box, "--preserve-fds", "1", log=str(tmp_path / "log"))
        assert result.returncode == 1, result
        assert "descriptor 3" in result.stderr


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_closed_stdio(bundle, container, tmp_path, closed):
    """Nothing else takes the number of a standard descriptor: stderr's line is not written into the log, say."""
    log = tmp_path / "log"
    with container(bundle(args=["/missing"])) as box:
        assert run_with(closed, box, log=str(log)).returncode == 1
    record, = log.read_text().splitlines()
    assert json.loads(record)["level"] == "error"


def end_of_stream(fd, seconds=5):
    """Waits until nobody has the other end any more."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if select.select([fd], [], [], 0.05)[0] and not os.read(fd, 65536):
            return True
    return False


@pytest.mark.parametrize("command", ["create", "run", "exec"])
def test_nobody_but_the_container_holds_its_output(bundle, container, command):
    """Callers wait for the end of the stream, which comes with the end of the process."""
    read, write = os.pipe()
    output = {"stdout": write, "stderr": write}
    with container(bundle("sleep")) as box:
        if command == "run":
            box.must("run", "--detach", **output)
        elif command == "create":
            box.must("create", **output)
            box.must("start")
        else:
            box.must("run", "--detach")
            pid_file = box.bundle.file("pid")
            assert box.runtime("exec", "--detach", "--pid-file", pid_file, box.id, "/probe", "exit", "0", **output).ok
            with open(pid_file) as file:
                assert exit_status(int(file.read())) == 0
        os.close(write)
        pid = box.pid
        if command != "exec":
            assert not end_of_stream(read, 0.3)
            box.must("kill", "KILL")
        assert end_of_stream(read)
        os.close(read)
        box.kill("KILL")
        assert exit_status(pid) == 137


def test_new_session_keyring(report):
    seen = report()
    assert seen.keyring["id"] > 0
    assert seen.keyring["id"] != libc.session_keyring()


@contextlib.contextmanager
def keyring_of_another(name):
    """The number of a session keyring of this name that a process of ours has, for everybody to join."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(write, str(libc.join_open_session_keyring(name)).encode())
            time.sleep(60)
        finally:
            os._exit(1)
    os.close(write)
    try:
        yield int(os.read(read, 20))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(read)


def test_session_keyring_of_another_is_not_joined(bundle, container):
    """runc lets everybody of its user join a container's keyring by its name, "_ses." and the container's id."""
    with container(bundle("report")) as box, keyring_of_another("_ses." + box.id) as foreign:
        assert box.run().report.keyring["id"] != foreign
    with container(bundle("sleep", 60)) as box, keyring_of_another("_ses." + box.id) as foreign:
        box.must("run", "--detach")
        assert box.exec().report.keyring["id"] not in (foreign, libc.session_keyring())


def test_no_new_keyring(report):
    mine = libc.session_keyring()
    seen = report(flags=["--no-new-keyring"])
    assert seen.keyring["id"] == mine


def test_no_pivot(report):
    seen = report("--try", "create:/made", flags=["--no-pivot"])
    assert seen.pid == 1
    assert seen.tries["create:/made"] == 0
    assert seen.mount("/proc")["fstype"] == "proc"
    assert not any("/berth-it" in mount["point"] for mount in seen.mounts)


def test_no_controlling_terminal(report):
    """TIOCSTI would let a container type into the caller's terminal."""
    seen = report()
    assert seen.terminal["controlling_tty"] != 0
    assert seen.sid == 1


@pytest.mark.parametrize("flags", [["--no-such-flag"], ["--preserve-fds", "x"], ["--preserve-fds", "-1"]])
def test_bad_flags(container, bundle, flags):
    with container(bundle("exit", 0)) as box:
        result = box.run(*flags)
        assert result.status != 0
        assert result.stderr


def test_console_socket_needs_a_terminal(container, bundle):
    with container(bundle("exit", 0)) as box:
        assert "terminal" in box.create("--console-socket", "/tmp/none.sock").error


def test_terminal_needs_a_console_socket_when_detached(container, bundle):
    def terminal(config):
        config["process"]["terminal"] = True

    with container(bundle("exit", 0, change=terminal)) as box:
        assert "console" in box.create().error
