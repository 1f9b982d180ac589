"""A caller's terminal in the hands of a shell with job control: stopping, the background, and whose settings it has."""

import contextlib
import os
import pty
import re
import select
import signal
import termios
import time

import pytest

from harness.runtime import wait_until


class Shell:
    """An interactive bash on a terminal of its own, and somebody who types."""

    PROMPT = "shell> "

    def __init__(self, view):
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            view.enter("/")
            os.environ.update(PS1=self.PROMPT, TERM="dumb")
            os.execv("/bin/bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"])
        self.seen = ""
        self.expect(self.PROMPT)

    def type(self, text):
        os.write(self.master, text.encode())

    def expect(self, pattern, seconds=10):
        """What came up to the end of the first match."""
        deadline = time.monotonic() + seconds
        while not (found := re.search(pattern, self.seen)):
            assert time.monotonic() < deadline, f"{pattern!r} did not come: {self.seen!r}"
            if select.select([self.master], [], [], 0.05)[0]:
                self.seen += os.read(self.master, 65536).decode()
        before, self.seen = self.seen[:found.end()], self.seen[found.end():]
        return before

    def settings(self):
        return termios.tcgetattr(self.master)

    def is_raw(self):
        return not self.settings()[3] & (termios.ICANON | termios.ECHO | termios.ISIG)

    def foreground(self):
        return os.tcgetpgrp(self.master)

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.master)


@pytest.fixture
def shell(view):
    made = Shell(view)
    yield made
    made.close()


@pytest.fixture
def box(container, bundle, busybox):
    """A container whose terminal has a shell of the container's."""
    def change(config):
        config["process"].update(terminal=True, args=["/bin/sh"],
                                 env=["PATH=/bin", "PS1=inside> ", "TERM=dumb"])

    made = bundle(change=change)
    made.busybox(busybox, "stty", "cat")
    with container(made) as box:
        yield box


def command(box, *args):
    return " ".join(box.runtime.command(*args))


def run(box):
    return command(box, "run", "--bundle", box.bundle.path, box.id)


def state_of(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[0]


@contextlib.contextmanager
def in_the_foreground(shell, box):
    shell.type(run(box) + "\n")
    shell.expect("inside> ")
    assert shell.is_raw()
    yield shell.foreground()
    shell.type("exit 3\n")
    shell.expect(Shell.PROMPT)
    assert not shell.is_raw()
    shell.type("echo status $?\n")
    shell.expect("status 3\r\n")


def test_stop_and_continue(shell, box):
    before = shell.settings()
    with in_the_foreground(shell, box) as berth:
        os.kill(berth, signal.SIGTSTP)
        shell.expect("Stopped")
        shell.expect(Shell.PROMPT)
        assert state_of(berth) == "T" and shell.settings() == before
        assert box.status == "running"
        shell.type("echo still $((1 + 1)) here\n")
        shell.expect("still 2 here")
        shell.type("stty rows 41 cols 101; fg\n")
        wait_until(shell.is_raw, what="raw mode again")
        shell.type("stty size\n")
        shell.expect("41 101")


def test_stop_that_nobody_can_catch(shell, box):
    """SIGSTOP: the shell takes the terminal, and gives it back in its own mode."""
    with in_the_foreground(shell, box) as berth:
        os.kill(berth, signal.SIGSTOP)
        shell.expect("Stopped")
        shell.expect(Shell.PROMPT)
        shell.type("stty sane; fg\n")
        wait_until(shell.is_raw, what="raw mode again")
        shell.type("echo in $((2 + 2)) side\n")
        shell.expect("in 4 side\r\n")


def test_keys_of_job_control_are_the_container_s(shell, box):
    """^Z stops a program inside, not the runtime."""
    with in_the_foreground(shell, box) as berth:
        shell.type("cat\n")
        time.sleep(0.3)
        shell.type("\x1a")
        shell.expect("Stopped")
        shell.expect("inside> ")
        assert state_of(berth) != "T"
        shell.type("kill %1; fg\n")
        shell.expect("inside> ")


def test_background(shell, box):
    """A job in the background goes on: it takes none of the shell's input, and leaves the settings to it. That it is in the
    foreground again nobody tells it, if it was not stopped."""
    with in_the_foreground(shell, box) as berth:
        shell.type("echo $((2 + 2)) >/tmp/before; sleep 1; echo $((3 + 3)) written >/tmp/after\n")
        before = os.path.join(box.bundle.rootfs, "tmp/before")
        wait_until(lambda: os.path.exists(before), what="the command")
        os.kill(berth, signal.SIGTSTP)
        shell.expect("Stopped")
        shell.expect(Shell.PROMPT)
        cooked = shell.settings()
        shell.type("bg\n")
        shell.expect("bg\r\n")
        wait_until(lambda: state_of(berth) != "T", what="bg")
        for number in range(20):
            shell.type(f"echo mine $(({number} + 3000))\n")
            shell.expect(f"mine {number + 3000}\r\n")
        assert state_of(berth) != "T" and shell.settings() == cooked
        wait_until(lambda: os.path.exists(os.path.join(box.bundle.rootfs, "tmp/after")), what="the rest of the command")
        shell.type("fg\n")
        wait_until(shell.is_raw, what="raw mode again")
        shell.type("echo in $((4 + 4)) side\n")
        shell.expect("in 8 side\r\n")


def test_start_in_the_background(shell, box):
    """As an editor does it waits to be brought to the foreground, and makes nothing before."""
    before = shell.settings()
    shell.type(run(box) + " &\n")
    shell.expect(r"\[1\] (\d+)\r\n")
    shell.expect(Shell.PROMPT)
    shell.type("sleep 0.5; jobs\n")
    shell.expect("Stopped")
    assert not os.path.exists(os.path.join(box.runtime.root, box.id))
    assert shell.settings() == before
    shell.type("fg\n")
    shell.expect("inside> ")
    assert shell.is_raw()
    shell.type("exit 0\n")
    shell.expect(Shell.PROMPT)
    assert not shell.is_raw()


def test_exec_in_the_background(shell, box):
    with in_the_foreground(shell, box):
        other = Shell(box.runtime.view)
        try:
            other.type(command(box, "exec", "-t", box.id, "/bin/sh") + " &\n")
            other.expect(r"\[1\] (\d+)\r\n")
            other.type("sleep 0.5; jobs\n")
            other.expect("Stopped")
            assert box.runtime("pause", box.id).ok and box.runtime("resume", box.id).ok  # nobody waits for its lock
            other.type("fg\n")
            other.expect("inside> ")
            assert other.is_raw()
            other.type("exit 0\n")
            other.expect(Shell.PROMPT)
            assert not other.is_raw()
        finally:
            other.close()


def test_exec_that_was_in_the_background_when_the_container_was_paused(shell, box):
    """What it found before it stopped is of yesterday."""
    with in_the_foreground(shell, box):
        other = Shell(box.runtime.view)
        try:
            other.type(command(box, "exec", "-t", box.id, "/bin/sh") + " &\n")
            other.type("sleep 0.5; jobs\n")
            other.expect("Stopped")
            box.must("pause")
            other.type("fg\n")
            other.expect("cannot exec in a paused container")
            box.must("resume")
        finally:
            other.close()


def test_continued_in_the_background(shell, box):
    """It stops again, as an editor does."""
    shell.type(run(box) + " &\n")
    pid = int(re.search(r"(\d+)\r\n$", shell.expect(r"\[1\] \d+\r\n")).group(1))
    for _ in range(3):
        wait_until(lambda: state_of(pid) == "T", what="the stop")
        shell.type("bg\n")
        shell.expect("bg\r\n")
        shell.expect(Shell.PROMPT)
    wait_until(lambda: state_of(pid) == "T", what="the stop")
    assert not os.path.exists(os.path.join(box.runtime.root, box.id))
    shell.type("fg\n")
    shell.expect("inside> ")
    shell.type("exit 0\n")
    shell.expect(Shell.PROMPT)


def test_background_that_nothing_stops(shell, box):
    """SIGTTOU is ignored: it goes on, and takes nothing from the terminal."""
    done = os.path.join(box.bundle.rootfs, "tmp/done")
    box.bundle.config["process"]["args"] = ["/bin/sh", "-c", "echo >/tmp/done"]
    box.bundle.write()
    shell.type(f"(trap '' TTOU; exec {run(box)}) &\n")
    wait_until(lambda: os.path.exists(done), what="the program")
    shell.type("wait; echo status $?\n")
    shell.expect("status 0\r\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_settings_after_a_signal_that_ends_the_container(shell, box, number):
    """The signal goes to the container's program; when that ends, the terminal is as it was."""
    before = shell.settings()
    shell.type(run(box) + "\n")
    shell.expect("inside> ")
    shell.type(f"trap 'exit 5' {int(number)}; echo trap set $((1 + 2))\n")
    shell.expect("trap set 3")
    os.kill(shell.foreground(), number)
    shell.type("\n")  # a shell looks at its traps after the line
    shell.expect(Shell.PROMPT)
    assert shell.settings() == before
    shell.type("echo status $?\n")
    shell.expect("status 5\r\n")


def test_settings_after_a_program_that_cannot_be_executed(shell, box):
    before = shell.settings()
    box.bundle.config["process"]["args"] = ["/missing"]
    box.bundle.write()
    shell.type(run(box) + "\n")
    shell.expect("executable file not found|no such file or directory")
    shell.expect(Shell.PROMPT)
    assert shell.settings() == before
