"""Terminals of `exec`."""

import fcntl
import os
import pty
import signal
import struct
import termios
import time

import pytest

from harness.terminal import ConsoleSocket


@pytest.fixture
def console(tmp_path):
    with ConsoleSocket(str(tmp_path / "console.sock")) as socket:
        yield socket


@pytest.fixture
def caller():
    """A terminal of the caller's: both ends."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
    yield master, slave
    os.close(master)
    os.close(slave)


def read_until(fd, text, seconds=5):
    seen, deadline = "", time.monotonic() + seconds
    os.set_blocking(fd, False)
    while text not in seen:
        assert time.monotonic() < deadline, f"{text!r} did not come: {seen!r}"
        try:
            seen += os.read(fd, 65536).decode()
        except BlockingIOError:
            time.sleep(0.01)
    return seen


def test_console_socket(running, console):
    with running() as box:
        result = box.exec("/probe", "cat", flags=["--tty", "--detach", "--console-socket", console.path])
        assert result.ok, result
        master = console.receive()
        os.write(master, b"hello\n")
        console.read_until("hello\r\nhello\r\n")
        os.write(master, b"\x04")


def test_detached_terminal_needs_a_console_socket(running):
    with running() as box:
        assert "console" in box.exec("/probe", "exit", "0", flags=["--tty", "--detach"]).error


def test_foreground(running, caller):
    """Raw mode, the size, typed input, resizing, and the settings as they were at the end."""
    master, slave = caller
    before = termios.tcgetattr(slave)
    with running() as box:
        box.bundle.busybox(os.environ.get("BUSYBOX", "/bin/busybox"))
        process = box.runtime.popen("exec", "-t", box.id, "/bin/busybox", "sh", stdin=slave, stdout=slave, stderr=slave)
        os.write(master, b"stty size; tty\n")
        read_until(master, "33 99")
        assert termios.tcgetattr(slave) != before
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 70, 0, 0))
        process.send_signal(signal.SIGWINCH)
        time.sleep(0.2)
        os.write(master, b"stty size; exit 9\n")
        read_until(master, "20 70")
        assert process.wait(5) == 9
    assert termios.tcgetattr(slave) == before


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
def test_settings_after_a_crash(running, caller, number):
    master, slave = caller
    before = termios.tcgetattr(slave)
    with running() as box:
        process = box.runtime.popen("exec", "-t", box.id, "/probe", "sleep", stdin=slave, stdout=slave, stderr=slave)
        deadline = time.monotonic() + 5
        while termios.tcgetattr(slave) == before:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(number)
        assert process.wait(5) == -number
        assert termios.tcgetattr(slave) == before
