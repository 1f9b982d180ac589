"""$NOTIFY_SOCKET: what the container says reaches the service manager, whoever starts it (sd_notify(3))."""

import os
import socket
import time

import pytest

from harness.runtime import exit_status, wait_until

NOTIFY = ("STATUS=on the way", "MAINPID=1\nREADY=1")


class Manager:
    """The service manager's end."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.settimeout(5)

    def receive(self):
        data, fds, _, _ = socket.recv_fds(self.socket, 4096, 4)
        for fd in fds:
            os.close(fd)
        return data.decode().split("\n")

    def environment(self):
        return {**os.environ, "NOTIFY_SOCKET": self.path}


@pytest.fixture
def manager(tmp_path):
    made = Manager(str(tmp_path / "manager.sock"))
    with made.socket:
        yield made


def notifying(bundle, messages=NOTIFY, change=None):
    return bundle("notify", *messages, change=change)


def test_run_in_the_foreground(container, bundle, manager):
    with container(notifying(bundle)) as box:
        process = box.background(env=manager.environment())
        assert manager.receive() == ["STATUS=on the way"]
        assert manager.receive() == ["READY=1", f"MAINPID={box.pid}"]
        box.must("kill", "KILL")
        assert process.wait(5) == 137


def test_barrier_of_the_container(container, bundle, manager):
    """sd_notify_barrier(3): it goes on when the manager, not the one in between, has closed what it sent."""
    made = notifying(bundle, ("READY=1", "BARRIER=1"))
    output = made.file("output")
    with container(made) as box, open(output, "r+b") as out:
        process = box.background(env=manager.environment(), stdout=out)
        assert manager.receive()[0] == "READY=1"
        data, fds, _, _ = socket.recv_fds(manager.socket, 4096, 4)
        assert data == b"BARRIER=1" and len(fds) == 1
        time.sleep(0.3)
        assert open(output).read() == ""
        os.close(fds[0])
        wait_until(lambda: open(output).read() == "passed\n", what="the end of the barrier")
        box.must("kill", "KILL")
        assert process.wait(5) == 137


def test_start_waits_until_the_container_is_ready(container, bundle, manager):
    with container(notifying(bundle)) as box:
        box.must("create", env=manager.environment())
        pid = box.pid
        process = box.runtime.popen("start", box.id, env=manager.environment())
        assert manager.receive() == ["STATUS=on the way"]
        assert manager.receive() == ["READY=1", f"MAINPID={pid}"]
        assert manager.receive() == ["BARRIER=1"]
        assert process.wait(5) == 0
        assert box.status == "running"
        box.must("kill", "KILL")
        assert exit_status(pid) == 137


def test_start_of_a_container_that_ends_without(container, bundle, manager):
    with container(bundle("exit", "3")) as box:
        box.must("create", env=manager.environment())
        pid = box.pid
        assert box.runtime("start", box.id, env=manager.environment(), timeout=5).ok
        assert exit_status(pid) == 3


def test_other_commands_while_start_waits(container, bundle, manager):
    with container(bundle("sleep")) as box:
        box.must("create", env=manager.environment())
        pid = box.pid
        process = box.runtime.popen("start", box.id, env=manager.environment())
        box.wait_status("running")
        box.must("kill", "KILL")
        assert exit_status(pid) == 137
        assert process.wait(5) == 0


def test_user_namespace_and_other_user(container, bundle, manager):
    def mapped(config):
        config["linux"]["namespaces"].append({"type": "user"})
        config["process"]["user"] = {"uid": 7, "gid": 7}
        for name in ("uidMappings", "gidMappings"):
            config["linux"][name] = [{"containerID": 0, "hostID": 100000, "size": 65536}]

    made = notifying(bundle, ("READY=1",), mapped)
    os.mkdir(os.path.join(made.rootfs, "run/notify"))  # the root of the user namespace owns nothing there
    with container(made) as box:
        process = box.background(env=manager.environment())
        assert manager.receive()[0] == "READY=1"
        box.must("kill", "KILL")
        assert process.wait(5) == 137


def test_nothing_without_a_manager(report):
    seen = report()
    assert not any(variable.startswith("NOTIFY_SOCKET") for variable in seen.env)
    assert not seen.has_mount("/run/notify")
