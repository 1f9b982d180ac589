"""list, ps and state for people and programs."""

import datetime
import json
import os
import signal
import re

import pytest

from harness.marks import both_views
from harness.runtime import Runtime, exit_status, wait_until


@pytest.fixture
def own_root(tmp_path, binary, view):
    return Runtime(binary, str(tmp_path / "root"), view)


def test_list_of_nothing(own_root):
    result = own_root("list")
    assert result.ok
    assert result.stdout.split() == ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
    assert own_root("list", "--quiet").stdout == ""
    assert own_root("list", "--format", "json").json in (None, [])


def test_list(container, bundle, runtime):
    made = bundle("sleep")
    with container(made) as box:
        box.must("create")
        line = next(line for line in runtime("list").stdout.splitlines() if line.startswith(box.id + " "))
        assert line.split()[:4] == [box.id, str(box.pid), "created", made.path]
        assert line.split()[5] == "root"
        assert box.id in runtime("list", "-q").stdout.splitlines()
        entry = next(e for e in runtime("list", "-f", "json").json if e["id"] == box.id)
        assert entry["pid"] == box.pid
        assert entry["status"] == "created"
        assert entry["bundle"] == made.path


@pytest.fixture
def many(bundle, own_root, token):
    """Ids of 150 containers that were created. With 128 there is a second thread, where there is a second processor."""
    made = bundle("sleep", change=lambda config: config["linux"].pop("cgroupsPath"))
    ids = [f"{token}-many-{number:03}" for number in range(150)]
    try:
        for box in ids:
            assert own_root("create", "--bundle", made.path, box).ok
        yield ids
    finally:
        assert [result for result in (own_root("delete", "--force", box) for box in ids) if not result.ok] == []


@both_views
def test_list_of_many(own_root, many):
    """Each container's own state, in order, whatever is wrong with another."""
    expected = dict.fromkeys(many, "created")
    for box in many[40:140]:
        assert own_root("start", box).ok
        expected[box] = "running"
    for box in many[60:120:7]:
        assert own_root("pause", box).ok
        expected[box] = "paused"
    for box in many[4:100:14]:
        pid = own_root("state", box).json["pid"]
        assert own_root("kill", box, "KILL").ok
        exit_status(pid)
        expected[box] = "stopped"
    damaged = many[5:140:30]
    for box in damaged:
        with open(os.path.join(own_root.root, box, "record.json"), "w") as file:
            file.write("{}")
        del expected[box]
    assert set(expected.values()) == {"created", "running", "paused", "stopped"}
    result = own_root("list", "--format", "json")
    assert [entry["id"] for entry in result.json] == list(expected)
    for entry in result.json:
        assert entry["status"] == expected[entry["id"]], entry
        state = own_root("state", entry["id"]).json
        assert [entry[key] for key in ("pid", "status", "bundle")] == [state[key] for key in ("pid", "status", "bundle")]
    assert re.findall(r"([\w-]+-many-\d+)\W+the record is cut short", result.stderr) == damaged
    assert own_root("list", "-q").stdout.split() == many


def test_list_follows_no_link(container, bundle, runtime, state_root):
    with container(bundle("sleep")) as box:
        box.must("create")
        link = os.path.join(state_root, box.id + "-link")
        os.symlink(box.id, link)
        try:
            assert [entry["id"] for entry in runtime("list", "-f", "json").json if entry["id"].startswith(box.id)] == [box.id]
            assert "symbolic links" in runtime("state", box.id + "-link").error
        finally:
            os.unlink(link)


def test_list_with_an_unknown_format(runtime):
    assert "format" in runtime("list", "--format", "xml").error


def test_list_survives_a_broken_state(container, bundle, runtime, state_root):
    """One bad directory does not hide the others."""
    with container(bundle("sleep")) as box, container(bundle("sleep")) as broken:
        box.must("create")
        os.mkdir(os.path.join(state_root, broken.id))
        result = runtime("list", "-q")
        assert box.id in result.stdout.splitlines()
        runtime("delete", "--force", broken.id)


@both_views
def test_ps(container, bundle, runtime):
    with container(bundle("children", 2)) as box:
        box.must("create")
        box.must("start")
        pids = wait_until(lambda: len(runtime("ps", "-f", "json", box.id).json) == 3 and
                          runtime("ps", "-f", "json", box.id).json, what="3 processes")
        assert box.pid in pids
        table = runtime("ps", box.id)
        assert table.ok, table
        for pid in pids:
            assert re.search(rf"\b{pid}\b", table.stdout), table


def test_ps_passes_arguments_on(container, bundle, runtime):
    with container(bundle("sleep")) as box:
        box.must("create")
        result = runtime("ps", box.id, "-o", "pid,comm")
        assert result.ok, result
        assert result.stdout.split()[:2] == ["PID", "COMMAND"]


def test_state_document(container, bundle):
    def annotate(config):
        config["annotations"] = {"org.example.key": "value"}

    made = bundle("sleep", change=annotate)
    with container(made) as box:
        box.must("create")
        result = box.runtime("state", box.id)
        state = json.loads(result.stdout)
        assert re.fullmatch(r"1\.\d+\.\d+.*", state["ociVersion"])
        assert state["annotations"] == {"org.example.key": "value"}
        assert state["rootfs"] == made.rootfs
        created = datetime.datetime.fromisoformat(state["created"][:19] + "+00:00")
        assert abs((datetime.datetime.now(datetime.timezone.utc) - created).total_seconds()) < 60


def test_state_of_a_symlinked_bundle_is_absolute(container, bundle):
    made = bundle("sleep")
    with container(made) as box:
        result = box.runtime("create", "--bundle", ".", box.id, cwd=made.path)
        assert result.ok, result
        assert box.state()["bundle"] == made.path


def test_state_of_a_container_that_accepts_nobody(container, bundle):
    """A stopped process lets the queue of its start socket fill up."""
    with container(bundle("sleep")) as box:
        box.must("create")
        os.kill(box.pid, signal.SIGSTOP)
        for _ in range(18):
            result = box.runtime("state", box.id, timeout=5)
            assert result.json["status"] == "created", result
        box.must("delete", "--force")
