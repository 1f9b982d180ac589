"""A message bus that is not as it should be: one line, a bound to each wait, and nothing is left. The bus is one of the
test's own, so that no systemd is needed."""

import json
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


def message(type, fields, signature="", body=b"", order="little"):
    """One of D-Bus, with header fields (code, signature, value), each a text or a number."""
    def number(value):
        return value.to_bytes(4, order)

    def padded(data):
        return data + bytes(-len(data) % 8)

    header = b""
    for code, kind, value in [*fields, *([(8, "g", signature)] if signature else [])]:
        header = padded(header) + bytes((code, 1)) + kind.encode() + b"\0"
        if kind == "u":
            header += number(value)
        elif kind == "g":
            header += bytes([len(value)]) + value.encode() + b"\0"
        else:
            header += number(len(value)) + value.encode() + b"\0"
    start = (b"l" if order == "little" else b"B") + bytes((type, 0, 1)) + number(len(body)) + number(1)
    return padded(start + number(len(header)) + header) + body


SIGNAL = [(1, "o", "/x"), (2, "s", "a.b"), (3, "s", "JobRemoved"), (7, "s", ":1.99")]


@pytest.mark.parametrize("stranger", [
    pytest.param(message(4, SIGNAL, order="big"), id="the other byte order"),
    pytest.param(message(4, SIGNAL, "ay", (3 << 20).to_bytes(4, "little") + bytes(3 << 20)), id="a long body"),
    pytest.param(message(4, [*SIGNAL[:3], (77, "v", "")]), id="a field of an unknown type"),
    pytest.param(message(4, SIGNAL, "uos", b"\1\0\0\0\xff\xff\0\0"), id="a body that is cut short"),
    pytest.param(message(4, [*SIGNAL, (5, "u", 1)]) + message(4, [*SIGNAL, (5, "u", 2)]), id="it says that it is an answer")])
def test_a_stranger_s_message_ends_no_call(bus, create, view, stranger):
    """Every user of the host can send the connections of root a signal."""
    if view.unified:
        pytest.skip("this bus has no answers to what comes next on a host with cgroup2 alone")
    hello = message(2, [(5, "u", 1)], "s", b"\4\0\0\0:1.5\0")
    own_cgroup = message(2, [(5, "u", 2)], "v", b"\1s\0\0\0\0\0\0\0")
    error = error_of(create(bus(answer=OK + stranger + hello + stranger + own_cgroup)), 10)
    assert "cgroup2 alone" in error  # which is asked for when systemd has answered


def test_an_error_is_not_the_end_of_a_unit(bus, container, bundle, state_root):
    """Only that systemd does not know it is: else its cgroup would be removed, which may be another's by now."""
    box = container(bundle("exit", 0))
    with box:
        assert box.run("--keep").ok
        record = os.path.join(state_root, box.id, "record.json")
        with open(record) as file:
            text = file.read()
        changed = json.loads(text)
        changed["cgroup"]["unit"] = {"name": "it.scope", "user": False, "invocation": "0" * 32}
        with open(record, "w") as file:
            file.write(json.dumps(changed) + "\n")

        def refusal(serial, name):
            return message(3, [(5, "u", serial), (4, "s", "org.freedesktop." + name)])
        # Hello; whether it is there, or AddMatch; Stop; whether another has the name.
        answers = (message(2, [(5, "u", 1)], "s", b"\4\0\0\0:1.5\0")
                   + message(2, [(5, "u", 2)], "v", b"\1s\0\0\6\0\0\0active\0")
                   + refusal(3, "systemd1.NoSuchUnit") + refusal(4, "DBus.Error.AccessDenied"))
        environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={bus(answer=OK + answers).path}"}
        assert "look for unit it.scope" in box.runtime("delete", box.id, env=environment).error
        with open(record, "w") as file:
            file.write(text)


@pytest.mark.skipif(has_systemd(), reason="it takes half a minute, and is the same on every host: one without systemd has it")
def test_a_bus_that_hangs(bus, create):
    """Before it lets the caller in, and after: both at once, as each takes as long as D-Bus waits everywhere."""
    begin = time.monotonic()
    processes = [create(bus(answer=answer)) for answer in (b"", OK)]
    for process in processes:
        assert "timed out" in error_of(process, 60)
    assert 20 < time.monotonic() - begin < 50
