"""A new process in the memory of the command that makes it (vfork): where that may be, and that the command is as it was
before. strace tells which it was."""

import json
import os
import re
import subprocess

import pytest

from harness.configurations import with_hook, with_user_namespace
from harness.marks import in_v2
from harness.runtime import wait_until


def without(kind):
    def change(config):
        config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] != kind]
    return change


def with_time_namespace(config):
    config["linux"]["namespaces"].append({"type": "time"})


def with_limit(config):
    config["linux"]["resources"] = {"memory": {"limit": 4 << 20}}


def clone_flags(view, tmp_path, command):
    """The flags of the first clone3 that `command` makes."""
    log = tmp_path / "calls"
    done = subprocess.run(view.entry + ["strace", "-f", "-e", "trace=clone3", "-o", str(log), *command], check=False,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done
    return re.search(r"clone3\(\{flags=([A-Z_|0-9a-z]+)", log.read_text())[1].split("|")


@in_v2
@pytest.mark.parametrize("change, shares", [
    (None, True),
    (without("pid"), False),  # others of the container's pid namespace could look
    (with_user_namespace, False),  # the command maps the ids
    (with_time_namespace, False),  # which the kernel lets nobody enter who shares memory
    (with_hook("prestart"), False), (with_hook("createRuntime"), False), (with_hook("createContainer"), False),
    (with_hook("startContainer"), False),
])
def test_where_memory_is_shared(view, bundle, container, tmp_path, change, shares):
    with container(bundle("exit", 0, change=change)) as box:
        flags = clone_flags(view, tmp_path, box.runtime.command("run", "--bundle", box.bundle.path, box.id))
        assert ("CLONE_VFORK" in flags and "CLONE_VM" in flags) is shares, flags


@in_v2
def test_exec_shares_memory(view, bundle, container, tmp_path):
    with container(bundle("sleep")) as box:
        box.must("run", "--detach")
        flags = clone_flags(view, tmp_path, box.runtime.command("exec", box.id, "/probe", "exit", "0"))
        assert "CLONE_VFORK" in flags
        waiting = clone_flags(view, tmp_path, box.runtime.command("exec", "--ignore-paused", box.id, "/probe", "exit", "0"))
        assert "CLONE_VFORK" not in waiting


@in_v2
def test_the_command_is_as_it_was(view, bundle, container, tmp_path):
    """While the container runs, `run` has nothing open but what it waits for: no copy of what its process took from the
    host, neither its log nor its trace less."""
    def change(config):
        for number in range(5):
            made = tmp_path / f"source-{number}"
            made.mkdir()
            config["mounts"].append({"destination": f"/place-{number}", "type": "bind", "source": str(made),
                                     "options": ["rbind", "ro"]})
        for name in ("uidMappings", "gidMappings"):  # which the command itself takes from the host
            config["mounts"][-1][name] = [{"containerID": 0, "hostID": 1000, "size": 10}]

    log, trace = tmp_path / "log", tmp_path / "trace"
    made = bundle("sleep", change=change)
    with container(made) as box:
        runtime = box.runtime.with_args("--debug", "--log", str(log), "--log-format", "json")
        command = runtime.popen("run", "--trace", str(trace), "--bundle", made.path, box.id)
        try:
            wait_until(lambda: box.runtime("state", box.id).ok and box.status == "running")
            directory = f"/proc/{command.pid}/fd"
            links = [os.readlink(f"{directory}/{number}") for number in os.listdir(directory)]
            assert not [link for link in links if re.match("/(place|source)-|user:|/memfd:|/$", link)], links
        finally:
            box.must("kill", "KILL")
        assert command.wait(10) == 128 + 9
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert any("step mounts" in record["msg"] for record in records)
    events = json.loads(trace.read_text())
    names = {(event["pid"], event["name"]) for event in events if event["ph"] == "X"}
    assert {(1, "clone"), (3, "mounts"), (1, "delete")} <= names


@in_v2
def test_failure_in_shared_memory(view, bundle, container, tmp_path):
    """What the process says is what the command says, on stderr and in its log."""
    def change(config):
        config["mounts"].append({"destination": "/place", "type": "nosuchtype", "source": "none"})

    log = tmp_path / "log"
    with container(bundle("exit", 0, change=change)) as box:
        done = box.runtime.with_args("--log", str(log), "--log-format", "json")("run", "--bundle", box.bundle.path, box.id)
        assert done.status == 1 and "mount nosuchtype on /place" in done.error
        record, = [json.loads(line) for line in log.read_text().splitlines()]
        assert record["msg"] in done.error
