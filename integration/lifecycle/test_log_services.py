"""--log journald:NAME and syslog:NAME, with sockets of the test's own where the services' are: what is sent there, that it
is never waited for, and that their absence is an error. The real journal is in integration/systemd."""

import json
import os
import re
import socket
import stat
import struct

import pytest

from harness import libc

JOURNAL, SYSLOG = "/run/systemd/journal/socket", "/dev/log"


class Service:
    """Takes the datagrams of a log service."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.setblocking(False)

    def records(self):
        """All that was sent so far: the data and the descriptors of each."""
        found = []
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(self.socket, 1 << 20, 4)
            except BlockingIOError:
                return found
            found.append((data, fds))


def at(place, path=None):
    """For preexec_fn: a mount namespace in which the socket `path` is at `place`, or nothing is."""
    def prepare():
        libc.unshare(libc.CLONE_NEWNS)
        libc.mount(None, "/", None, libc.MS_REC | libc.MS_PRIVATE)
        if place == JOURNAL:
            libc.mount("tmpfs", "/run", "tmpfs")
            os.makedirs(os.path.dirname(place))
        else:
            libc.mount("tmpfs", "/dev", "tmpfs")
            os.mknod("/dev/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        if path is not None:
            open(place, "w").close()
            libc.mount(path, place, None, libc.MS_BIND)
    return prepare


@pytest.fixture
def service(tmp_path):
    made = Service(str(tmp_path / "service.sock"))
    with made.socket:
        yield made


def fields(datagram):
    """A journal entry in the native protocol."""
    found = {}
    while datagram:
        line, _, rest = datagram.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            length, = struct.unpack("<Q", rest[:8])
            value, rest = rest[8:8 + length], rest[9 + length:]
        found[name.decode()] = value.decode()
        datagram = rest
    return found


def failure(runtime, log, place, service, *options, command=("state",), id="missing"):
    return runtime.with_args("--log", log, *options)(*command, id, preexec=at(place, service and service.path)).error


def test_journal(runtime, service):
    error = failure(runtime, "journald:web", JOURNAL, service)
    (data, fds), = service.records()
    entry = fields(data)
    assert error == "berth: " + entry.pop("MESSAGE")
    assert entry == {"PRIORITY": "3", "SYSLOG_IDENTIFIER": "web", "ID": "missing"}
    assert not fds


def test_journal_has_a_name_by_default(runtime, service):
    failure(runtime, "journald:", JOURNAL, service)
    (data, _), = service.records()
    assert fields(data)["SYSLOG_IDENTIFIER"] == "berth"


def test_journal_with_json(runtime, service):
    error = failure(runtime, "journald:web", JOURNAL, service, "--log-format", "json")
    (data, _), = service.records()
    record = json.loads(fields(data)["MESSAGE"])
    assert record["level"] == "error" and error == "berth: " + record["msg"] and record["time"]


def test_journal_of_a_mistake_on_the_command_line(runtime, service):
    error = failure(runtime, "journald:web", JOURNAL, service, command=("state", "--nonsense"))
    (data, _), = service.records()
    assert error == "berth: " + fields(data)["MESSAGE"]


def test_journal_of_an_expression(runtime, service):
    """It is no container's id."""
    failure(runtime, "journald:web", JOURNAL, service, command=("kill", "--regex"), id="(")
    (data, _), = service.records()
    assert "ID" not in fields(data)


def test_syslog_has_one_pid(runtime, service, bundle, container):
    """Also for what the container's process says, which is process 1 in there."""
    made = bundle("exit", 0)
    with container(made) as box:
        assert runtime.with_args("--debug", "--log", "syslog:web")(
            "run", "--bundle", made.path, box.id, preexec=at(SYSLOG, service.path)).ok
    pids = [re.search(r" web\[(\d+)\]: ", data.decode()).group(1) for data, _ in service.records()]
    assert len(pids) > 5 and set(pids) == {pids[0]} and pids[0] != "1"


def test_journal_of_more_than_a_datagram(runtime, service):
    """It goes in a memory file that nobody can change any more."""
    level = "\x01" * 100_000  # of which each byte becomes four in the message
    result = runtime.with_args("--log", "journald:web", "--log-level", level)("list", preexec=at(JOURNAL, service.path))
    (data, fds), = service.records()
    assert data == b"" and len(fds) == 1
    try:
        with open(fds[0], "rb", closefd=False) as file:
            file.seek(0)
            entry = fields(file.read())
        assert len(entry["MESSAGE"]) > 400_000 and result.error == "berth: " + entry["MESSAGE"]
        with pytest.raises(OSError):
            os.write(fds[0], b"more")
    finally:
        os.close(fds[0])


def test_syslog(runtime, service):
    error = failure(runtime, "syslog:web", SYSLOG, service)
    (data, _), = service.records()
    found = re.fullmatch(r"<11>[A-Z][a-z]{2} [ 123]\d \d\d:\d\d:\d\d web\[\d+\]: (.*)", data.decode())
    assert found and error == "berth: " + found.group(1)


@pytest.mark.parametrize("log, place", [("journald:web", JOURNAL), ("syslog:web", SYSLOG)])
def test_service_that_is_not_there(runtime, log, place):
    error = failure(runtime, log, place, None)
    assert f"--log {log}: connect({place}): No such file or directory" in error and "running?" in error


def test_service_that_reads_nothing(runtime, service):
    """A full queue takes no record, and keeps nobody waiting."""
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.setblocking(False)
    sender.connect(service.path)
    with sender, pytest.raises(BlockingIOError):
        while True:
            sender.send(b"x")
    result = runtime.with_args("--log", "journald:web")("state", "missing", preexec=at(JOURNAL, service.path))
    assert result.status == 1 and result.error and result.seconds < 5


def test_container_does_not_get_the_socket(runtime, service, bundle, container):
    made = bundle("report")
    with container(made) as box:
        result = runtime.with_args("--debug", "--log", "journald:web")(
            "run", "--bundle", made.path, box.id, preexec=at(JOURNAL, service.path))
    assert set(result.report.fds) == {"0", "1", "2"}
    messages = [fields(data) for data, _ in service.records()]
    assert len(messages) > 5 and all(entry["ID"] == box.id and entry["PRIORITY"] == "7" for entry in messages)
