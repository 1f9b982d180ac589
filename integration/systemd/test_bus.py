"""A message bus that is not as it should be: one line, a bound to each wait, and nothing is left. The bus is one of the
test's own, so that no systemd is needed."""

import os
import socket
import subprocess
import threading
import time

import pytest

from harness.host import has_systemd

OK = b"DATA\r\nOK 0123456789abcdef0123456789abcdef\r\n"


class Bus:
    """Listens at a socket and answers each client's first bytes with `answer`; then it hangs, or hangs up."""

    def __init__(self, path, answer=b"", hang_up=False):
        self.path, self.answer, self.hang_up = path, answer, hang_up
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.clients = []
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.clients.append(client)
            client.recv(4096)
            client.sendall(self.answer)
            if self.hang_up:
                client.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        for opened in (self.listener, *self.clients):
            opened.close()
        os.unlink(self.path)


@pytest.fixture
def bus(directory):
    made = []

    def make(**options):
        made.append(Bus(os.path.join(directory, f"bus-{len(made)}"), **options))
        return made[-1]
    yield make
    for listening in made:
        listening.close()


@pytest.fixture
def create(container, bundle):
    """create(bus) starts the command; gives the process, whose output is on its pipe."""
    def create(at):
        made = bundle("exit", 0, change=lambda config: config["linux"].update(cgroupsPath="::"))
        box = container(made)
        environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={at.path}"}
        return box.runtime.with_args("--systemd-cgroup").popen("create", "-b", made.path, box.id, env=environment,
                                                               stderr=subprocess.PIPE, text=True)
    return create


def error_of(process, seconds):
    error = process.communicate(timeout=seconds)[1]
    assert process.returncode == 1 and error.count("\n") == 1, error
    return error


@pytest.mark.parametrize("options, expected", [
    ({"answer": b"REJECTED EXTERNAL\r\n"}, "lets nobody in"),
    ({"answer": b"DATA\r\n", "hang_up": True}, "connect to the system bus"),
    ({"answer": OK, "hang_up": True}, "call Hello"),
    ({"answer": OK + b"x" * 64}, "no message"),
    ({"answer": OK + b"l\2\0\1" + b"\xff" * 60}, "no message")])
def test_answers_of_no_bus(bus, create, options, expected):
    assert expected in error_of(create(bus(**options)), 10)


@pytest.mark.skipif(has_systemd(), reason="it takes half a minute, and is the same on every host: one without systemd has it")
def test_a_bus_that_hangs(bus, create):
    """Before it lets the caller in, and after: both at once, as each takes as long as D-Bus waits everywhere."""
    begin = time.monotonic()
    processes = [create(bus(answer=answer)) for answer in (b"", OK)]
    for process in processes:
        assert "timed out" in error_of(process, 60)
    assert 20 < time.monotonic() - begin < 50
