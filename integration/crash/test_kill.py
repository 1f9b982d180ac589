"""SIGKILL at random moments of the runtime itself: `delete --force` then leaves nothing (the fixture nothing_left looks at
state, cgroups, mounts and processes), and the id can be used again at once."""

import json
import os
import random
import signal
import statistics
import time

import pytest

from harness.marks import both_views, every_hierarchy
from harness.host import reap_children
from harness.runtime import exit_status, wait_until

SEED = int(os.environ.get("BERTH_SEED", "20261120"))


@pytest.fixture
def dice():
    return random.Random(SEED)


def typical_seconds(action, times=7):
    """How long a command takes here, so that the kills hit all of it."""
    measured = []
    for _ in range(times):
        begin = time.monotonic()
        action()
        measured.append(time.monotonic() - begin)
    return statistics.median(measured)


def kill_after(process, seconds):
    """SIGKILL to the runtime after a while; whether it was still at work."""
    time.sleep(seconds)
    at_work = process.poll() is None
    if at_work:
        process.send_signal(signal.SIGKILL)
    process.wait()
    return at_work


def deleted(box):
    """delete --force succeeds, and the container is unknown after it."""
    result = box.runtime("delete", "--force", box.id)
    assert result.ok, result
    assert result.seconds < 3, result
    reap_children()
    assert "does not exist" in box.runtime("state", box.id).error
    assert not os.path.exists(os.path.join(box.runtime.root, box.id))


@both_views
def test_two_hundred_runs_fifty_of_them_killed(container, bundle, dice):
    """A hundred in each view: run, its parent killed in the middle of a quarter of them."""
    made = bundle("exit", 3)

    def whole():
        with container(made) as box:
            assert box.run().status == 3

    duration = typical_seconds(whole)
    killed = 0
    plan = [True] * 25 + [False] * 75
    dice.shuffle(plan)
    for kill in plan:
        with container(made) as box:
            if not kill:
                assert box.run().status == 3
                continue
            for attempt in range(20):  # until it hits: a run that ended before the kill does not count
                hit = kill_after(box.background(), dice.uniform(0, duration / (1 + attempt)))
                deleted(box)
                if hit:
                    killed += 1
                    break
    assert killed == 25


@every_hierarchy
def test_killed_create(container, bundle, dice):
    made = bundle("sleep")

    def whole():
        with container(made) as box:
            box.must("create")

    duration = typical_seconds(whole)
    for _ in range(25):
        with container(made) as box:
            kill_after(box.runtime.popen("create", "--bundle", made.path, box.id), dice.uniform(0, duration))
            deleted(box)
            box.must("create")
            deleted(box)


@both_views
def test_the_cgroup_of_another_outlives_a_create_that_was_killed(container, bundle, dice):
    """Two containers with one cgroupsPath: the second is refused, or killed at whatever moment."""
    made = bundle("sleep")
    with container(made) as first:
        first.must("create")
        first.must("start")
        pid = first.pid
        duration = typical_seconds(first.create)
        for _ in range(25):
            with container(made) as second:
                kill_after(second.runtime.popen("create", "--bundle", made.path, second.id), dice.uniform(0, duration))
                deleted(second)
                assert (first.status, first.pid) == ("running", pid)


@every_hierarchy
def test_an_intent_is_no_claim_to_a_cgroup(container, bundle, state_root, view):
    """Of a create that was killed right before it would have been refused."""
    with container(bundle("sleep")) as first, container(bundle("sleep")) as second:
        first.must("create")
        with open(os.path.join(state_root, first.id, "intent")) as file:
            intent = json.load(file)
        os.mkdir(os.path.join(state_root, second.id), 0o700)
        with open(os.path.join(state_root, second.id, "intent"), "w") as file:
            file.write(json.dumps({**intent, "id": second.id}) + "\n")
        deleted(second)
        assert first.status == "created"
        first.must("start")
        assert first.status == "running"


def test_killed_create_is_never_more_than_creating(container, bundle, dice, runtime):
    """Between the kill and the delete the other commands give one clear line."""
    made = bundle("sleep")
    for _ in range(15):
        with container(made) as box:
            kill_after(runtime.popen("create", "--bundle", made.path, box.id), dice.uniform(0, 0.02))
            state = runtime("state", box.id)
            if state.ok:
                assert state.json["status"] in ("creating", "created", "stopped"), state
            else:
                assert state.error
            listed = runtime("list", "-q")
            assert listed.ok, listed
            if not (state.ok and state.json["status"] == "created"):
                started = runtime("start", box.id)
                assert started.status != 0 and started.error
            deleted(box)


def test_killed_start(container, bundle, dice):
    """Either still created and startable, or running; never a second start that hangs."""
    made = bundle("sleep")
    for _ in range(20):
        with container(made) as box:
            box.must("create")
            kill_after(box.runtime.popen("start", box.id), dice.uniform(0, 0.008))
            status = box.status
            assert status in ("created", "running"), status
            again = box.start(timeout=5)
            assert again.ok == (status == "created") or box.status == "running", again
            deleted(box)


@every_hierarchy
def test_killed_delete(container, bundle, dice):
    made = bundle("sleep")
    for _ in range(15):
        with container(made) as box:
            box.must("create")
            box.must("start")
            kill_after(box.runtime.popen("delete", "--force", box.id), dice.uniform(0, 0.01))
            deleted(box)


def test_killed_pause(container, bundle, dice):
    """A frozen container can be deleted whatever state the pause was left in."""
    made = bundle("sleep")
    for _ in range(10):
        with container(made) as box:
            box.must("create")
            box.must("start")
            kill_after(box.runtime.popen("pause", box.id), dice.uniform(0, 0.006))
            deleted(box)


@every_hierarchy
@pytest.mark.parametrize("command", [["pause"], ["kill", "--all"], ["update", "--pids-limit", "77"]])
def test_a_killed_command_leaves_nothing_frozen_for_good(container, bundle, dice, command, view):
    """What was frozen in the middle is paused for everybody to see, and goes on with `resume`."""
    if command[0] == "update" and "pids" not in view.controllers:
        pytest.skip(f"no pids controller in the {view.name} view")
    for _ in range(12):
        made = bundle("trap", 12)
        output = made.file("output")
        with container(made) as box, open(output, "r+b") as out:
            box.must("create", stdout=out)
            pid = box.pid
            box.must("start")
            wait_until(lambda: open(output).read() == "ready\n", what="ready")
            arguments = command + [box.id] + (["CONT"] if command[0] == "kill" else [])
            kill_after(box.runtime.popen(*arguments), dice.uniform(0, 0.008))
            if box.status == "paused":
                box.must("resume")
            assert box.status == "running"
            box.must("kill", "USR2")
            assert exit_status(pid) == 0  # it has gone on, and ends by itself
            deleted(box)


def test_the_init_process_dies_with_a_killed_create(container, bundle, dice):
    """Before the commit the child has nobody who could find it: it must not live on."""
    made = bundle("sleep")
    for _ in range(15):
        with container(made) as box:
            if not kill_after(box.runtime.popen("create", "--bundle", made.path, box.id), dice.uniform(0.001, 0.01)):
                deleted(box)
                continue
            state = box.runtime("state", box.id)
            if not (state.ok and state.json["status"] == "created"):
                wait_until(lambda: not processes_of(made.path), what="the end of the child")
            deleted(box)


def processes_of(bundle_path):
    """Processes whose root or working directory is in the bundle."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for link in ("root", "cwd", "exe"):
            try:
                if bundle_path in os.readlink(f"/proc/{pid}/{link}"):
                    found.append(int(pid))
            except OSError:
                pass
    return found


def test_killed_init_before_start(container, bundle):
    with container(bundle("sleep")) as box:
        box.must("create")
        pid = box.pid
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        error = box.start(timeout=5).error
        assert box.id in error
        assert box.status == "stopped"
        box.must("delete")


@pytest.mark.parametrize("damage", ["", "{", "null", "[]", '{"id": 1}', "\0\0\0"])
def test_broken_record(container, bundle, state_root, damage):
    """A record that another program damaged: one clear line from every command. delete --force then leaves nothing, or
    refuses: what it must never do is to forget a container that still runs."""
    with container(bundle("sleep")) as box:
        box.must("create")
        pid = box.pid
        directory = os.path.join(state_root, box.id)
        path = os.path.join(directory, "record.json")
        with open(path) as file:
            whole = file.read()
        with open(path, "w") as file:
            file.write(damage)
        assert box.runtime("state", box.id).error
        assert box.start().error
        result = box.delete("--force")
        if result.ok:
            wait_until(lambda: not os.path.exists(f"/proc/{pid}/exe"), what="the end of the container")
        else:
            assert box.id in result.error
            with open(path, "w") as file:
                file.write(whole)
            deleted(box)
