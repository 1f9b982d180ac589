"""A user without any privilege: the configuration of `spec --rootless`, a user namespace, no cgroup of its own."""

import json
import os
import shutil
import subprocess

import pytest

USER = 54321


@pytest.fixture
def unprivileged(binary, probe, directory):
    """unprivileged(command...): the runtime as the user, in a bundle of hers whose program is the probe."""
    home = os.path.join(directory, f"home-{USER}")
    shutil.rmtree(home, ignore_errors=True)
    for name in ("bundle/rootfs/proc", "bundle/rootfs/dev", "bundle/rootfs/sys", "bundle/rootfs/etc", "xdg"):
        os.makedirs(os.path.join(home, name))
    shutil.copy(probe, os.path.join(home, "bundle/rootfs/probe"))
    shutil.copy(binary, os.path.join(home, "berth"))
    for path, names, files in os.walk(home):
        for name in (".", *names, *files):
            os.chown(os.path.join(path, name), USER, USER)

    def call(*args, output=subprocess.PIPE):
        return subprocess.run([os.path.join(home, "berth"), *args], user=USER, group=USER, extra_groups=[],
                              env={"XDG_RUNTIME_DIR": os.path.join(home, "xdg"), "PATH": "/usr/bin:/bin"},
                              cwd=os.path.join(home, "bundle"), stdin=subprocess.DEVNULL, stdout=output, stderr=output, text=True, timeout=20)

    def configure(*program, change=None):
        path = os.path.join(home, "bundle/config.json")
        if os.path.exists(path):
            os.unlink(path)
        made = call("spec", "--rootless")
        assert made.returncode == 0, made
        with open(path) as file:
            config = json.load(file)
        config["process"].update(terminal=False, args=["/probe", *program])
        if change:
            change(config)
        with open(path, "w") as file:
            json.dump(config, file)

    call.configure = configure
    call.state = os.path.join(home, "xdg/berth")
    yield call
    assert os.listdir(call.state) == []
    shutil.rmtree(home)


def test_run(unprivileged):
    unprivileged.configure("exit", "7")
    result = unprivileged("run", "one")
    assert (result.returncode, result.stderr) == (7, "")


def test_lifecycle(unprivileged):
    unprivileged.configure("sleep")
    for command in ("create", "start"):
        # No pipes: the container keeps them open.
        result = unprivileged(command, "one", output=subprocess.DEVNULL)
        assert result.returncode == 0, result
    assert json.loads(unprivileged("state", "one").stdout)["status"] == "running"
    assert unprivileged("delete", "--force", "one").returncode == 0


def test_mounts_of_a_running_container(unprivileged):
    """What the user may bind in a container of hers she may add to one that runs."""
    unprivileged.configure("sleep")
    home = os.path.dirname(os.path.dirname(unprivileged.state))
    with open(os.path.join(home, "mounts.json"), "w") as file:
        json.dump([{"destination": "/dev/a", "type": "bind", "source": home, "options": ["rbind", "ro"]},
                   {"destination": "/dev/b", "type": "tmpfs", "options": ["size=64k"]}], file)
    for command in ("create", "start"):
        assert unprivileged(command, "one", output=subprocess.DEVNULL).returncode == 0
    try:
        for action, expected in (("add", True), ("remove", False)):
            result = unprivileged("mounts", action, "one", f"{home}/mounts.json")
            assert (result.returncode, result.stderr) == (0, ""), result
            pid = json.loads(unprivileged("state", "one").stdout)["pid"]
            with open(f"/proc/{pid}/mountinfo") as file:
                points = [line.split()[4] for line in file]
            assert ("/dev/a" in points, "/dev/b" in points) == (expected, expected)
    finally:
        assert unprivileged("delete", "--force", "one").returncode == 0


def test_limits_are_not_dropped_in_silence(unprivileged):
    def limit(config):
        config["linux"]["resources"] = {"pids": {"limit": 10}}

    unprivileged.configure("exit", "0", change=limit)
    result = unprivileged("run", "one")
    assert result.returncode == 1
    assert "cgroup" in result.stderr and result.stderr.count("\n") == 1


def test_devices_and_message_queues(unprivileged):
    """The host's nodes are bound, a pipe is made; what is in /dev/mqueue is the container's root's."""
    def change(config):
        config["linux"]["devices"] = [{"path": "/dev/full", "type": "c", "major": 1, "minor": 7},
                                      {"path": "/dev/pipe", "type": "p", "fileMode": 0o640}]

    unprivileged.configure("report", "--stat", "/dev/full", "--stat", "/dev/pipe", "--stat", "/dev/mqueue",
                           "--try", "write:/dev/null", "--try", "read:/dev/urandom", change=change)
    result = unprivileged("run", "one")
    assert result.returncode == 0, result
    seen = json.loads(result.stdout)
    assert (seen["stats"]["/dev/full"]["type"], seen["stats"]["/dev/full"]["minor"]) == ("char", 7)
    assert (seen["stats"]["/dev/pipe"]["type"], seen["stats"]["/dev/pipe"]["uid"]) == ("fifo", 0)
    assert seen["stats"]["/dev/mqueue"]["uid"] == 0
    assert set(seen["tries"].values()) == {0}


def test_id_mapped_mounts_of_the_host_are_refused(unprivileged):
    """The kernel leaves them to root of the namespace that the file system was mounted in."""
    def change(config):
        config["mounts"].append({"destination": "/etc", "type": "bind", "source": "/usr/share", "options": ["bind", "idmap"]})

    unprivileged.configure("exit", "0", change=change)
    result = unprivileged("run", "one")
    assert result.returncode == 1
    assert "ids are mapped by root of the host only" in result.stderr and "Operation not permitted" in result.stderr and result.stderr.count("\n") == 1
