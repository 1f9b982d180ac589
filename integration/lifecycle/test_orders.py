"""Commands in every order: each state refuses what does not fit it, with one line, and stays as it was."""

import os
import signal

import pytest

from harness.runtime import exit_status


@pytest.fixture
def created(container, bundle):
    with container(bundle("sleep")) as box:
        box.must("create")
        yield box


@pytest.fixture
def running(created):
    created.must("start")
    return created


@pytest.fixture
def paused(running):
    running.must("pause")
    yield running
    running.resume()


@pytest.fixture
def stopped(running):
    pid = running.pid
    running.must("kill", "KILL")
    exit_status(pid)
    assert running.status == "stopped"
    return running


def unchanged(box, action, *expected):
    """The action fails with a line that holds one of the texts, and state says the same as before."""
    before = box.state()
    error = action().error
    assert any(text in error for text in expected), error
    assert box.id in error, f"the message does not name the container: {error}"
    assert box.state() == before


def test_the_whole_way(container, bundle):
    made = bundle("sleep")
    with container(made) as box:
        box.must("create")
        state = box.state()
        assert state["status"] == "created"
        assert state["id"] == box.id
        assert state["bundle"] == made.path
        assert state["pid"] > 0
        assert state["ociVersion"]
        box.must("start")
        assert box.state() == {**state, "status": "running"}
        box.must("kill", "KILL")
        assert exit_status(state["pid"]) == 128 + signal.SIGKILL
        assert box.state() == {**state, "status": "stopped", "pid": 0}
        box.must("delete")
        assert "does not exist" in box.start().error


@pytest.mark.parametrize("command", ["start", "state", "kill", "delete", "pause", "resume", "ps", "update"])
def test_unknown_id(runtime, bundle, command):
    id = bundle.new_id()
    error = runtime(command, id).error
    assert "does not exist" in error
    assert id in error


def test_delete_force_of_an_unknown_id_is_no_error(runtime, bundle):
    result = runtime("delete", "--force", bundle.new_id())
    assert result.ok and result.stderr == ""


@pytest.mark.parametrize("state", ["created", "running", "paused", "stopped"])
@pytest.mark.parametrize("command", ["create", "run"])
def test_an_id_is_taken_once(request, state, command):
    box = request.getfixturevalue(state)
    unchanged(box, getattr(box, command), "already exists")


def test_created_cannot_be_resumed(created):
    unchanged(created, created.resume, "not paused")


def test_created_does_not_run_the_program(container, bundle):
    made = bundle("write", "/place/ran")
    with container(made) as box:
        box.must("create")
        box.must("delete", "--force")
    assert not os.path.exists(made.rootfs + "/place/ran")


def test_created_can_be_killed(created):
    pid = created.pid
    created.must("kill", "KILL")
    exit_status(pid)
    assert created.status == "stopped"
    unchanged(created, created.start, "stopped")
    created.must("delete")


def test_created_cannot_be_deleted_without_force(created):
    """The specification: deleting a container that is not stopped MUST generate an error."""
    unchanged(created, created.delete, "created", "not stopped")


def test_running_cannot_be_started_again(running):
    unchanged(running, running.start, "running")


def test_running_cannot_be_deleted(running):
    unchanged(running, running.delete, "running", "not stopped")


def test_running_cannot_be_resumed(running):
    unchanged(running, running.resume, "not paused")


def test_paused_cannot_be_started(paused):
    unchanged(paused, paused.start, "paused")


def test_paused_cannot_be_paused_again(paused):
    unchanged(paused, paused.pause, "not running", "paused")


def test_paused_cannot_be_deleted(paused):
    unchanged(paused, paused.delete, "paused", "not stopped")


def test_paused_can_be_deleted_by_force(container, bundle):
    with container(bundle("sleep")) as box:
        box.must("create")
        box.must("start")
        box.must("pause")
        result = box.must("delete", "--force")
        assert result.seconds < 2


@pytest.mark.parametrize("command", ["start", "pause", "resume", "kill"])
def test_stopped_refuses(stopped, command):
    unchanged(stopped, getattr(stopped, command), "stopped", "not running", "not paused")


def test_stopped_can_be_deleted_once(stopped):
    stopped.must("delete")
    assert "does not exist" in stopped.delete().error


def test_deleted_id_can_be_used_again(container, bundle):
    made = bundle("exit", 0)
    with container(made) as box:
        for _ in range(3):
            box.must("create")
            box.must("delete", "--force")


def test_running_can_be_deleted_by_force(running, runtime):
    pid = running.pid
    running.must("delete", "--force")
    assert exit_status(pid) == 128 + signal.SIGKILL
    assert "does not exist" in runtime("state", running.id).error
