"""Descriptors that are handed over: --preserve-fds, socket activation, --pidfd-socket; for exec and run."""

import array
import json
import os
import socket
import subprocess

import pytest

from harness.report import Report


def with_activation(box, command, count, *args, pid=None, names=None):
    """`command` by a shell that has `count` descriptors open and tells so as systemd does."""
    script = "; ".join(f"exec {3 + n}</dev/null" for n in range(count))
    script += f"; export LISTEN_FDS={count} LISTEN_PID={pid or '$$'}"
    script += f" LISTEN_FDNAMES={names}" if names else ""
    shell = ["sh", "-c", script + '; exec "$@"', "sh"]
    return subprocess.run(box.runtime.view.entry + shell + box.runtime.command(command, *args),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False)


def report_of(done):
    assert done.returncode == 0, done
    return Report(json.loads(done.stdout))


def test_socket_activation_of_exec(running):
    with running() as box:
        seen = report_of(with_activation(box, "exec", 2, box.id, "/probe", "report", names="web:admin"))
        assert set(seen.fds) == {"0", "1", "2", "3", "4"}
        assert {"LISTEN_FDS=2", f"LISTEN_PID={seen.pid}", "LISTEN_FDNAMES=web:admin"} <= set(seen.env)


def test_socket_activation_of_run(container, bundle):
    with container(bundle("report")) as box:
        seen = report_of(with_activation(box, "run", 1, "--bundle", box.bundle.path, box.id))
        assert set(seen.fds) == {"0", "1", "2", "3"}
        assert {"LISTEN_FDS=1", "LISTEN_PID=1"} <= set(seen.env)


def test_socket_activation_with_preserved_descriptors(running):
    with running() as box:
        seen = report_of(with_activation(box, "exec", 1, "--preserve-fds", "0", box.id, "/probe", "report"))
        assert set(seen.fds) == {"0", "1", "2", "3"}
        done = with_activation(box, "exec", 1, "--preserve-fds", "1", box.id, "/probe", "report")
        assert done.returncode == 255 and "descriptor 4" in done.stderr


def test_socket_activation_of_somebody_else(running):
    with running() as box:
        seen = report_of(with_activation(box, "exec", 1, box.id, "/probe", "report", pid=1))
        assert set(seen.fds) == {"0", "1", "2"}
        assert not any(variable.startswith("LISTEN_") for variable in seen.env)


@pytest.fixture
def receiver(tmp_path):
    """The other end of --pidfd-socket."""
    path = str(tmp_path / "pidfd.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen(1)
        listener.settimeout(5)

        def receive():
            connection, _ = listener.accept()
            with connection:
                data, ancillary, _, _ = connection.recvmsg(100, socket.CMSG_SPACE(16))
            assert data
            fds = array.array("i")
            fds.frombytes(ancillary[0][2])
            assert len(fds) == 1
            return fds[0]
        yield path, receive


def pid_of(pidfd):
    with open(f"/proc/self/fdinfo/{pidfd}") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pid:"))


def test_pidfd_of_exec(running, receiver, tmp_path):
    path, receive = receiver
    with running() as box:
        pid_file = tmp_path / "pid"
        result = box.exec("/probe", "sleep", flags=["-d", "--pidfd-socket", path, "--pid-file", str(pid_file)])
        assert result.ok, result
        fd = receive()
        try:
            assert pid_of(fd) == int(pid_file.read_text())
        finally:
            os.close(fd)


def test_pidfd_of_create(container, bundle, receiver):
    path, receive = receiver
    with container(bundle("sleep")) as box:
        box.must("create", "--pidfd-socket", path)
        fd = receive()
        try:
            assert pid_of(fd) == box.pid
        finally:
            os.close(fd)


def test_pidfd_socket_that_nobody_listens_to(container, bundle, tmp_path):
    with container(bundle("sleep")) as box:
        assert "--pidfd-socket" in box.create("--pidfd-socket", str(tmp_path / "none")).error
