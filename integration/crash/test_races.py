"""Two commands on one id at the same time: each is whole or gives one clear line, and nothing is left."""

import os
import random

import pytest

from harness.host import reap_children

SEED = int(os.environ.get("BERTH_SEED", "20261120"))


def outcome(process):
    return process.wait(20)


def remove(box):
    result = box.runtime("delete", "--force", box.id)
    assert result.ok, result
    reap_children()


def test_creates_of_one_id_have_one_winner(container, bundle):
    made = bundle("sleep")
    for _ in range(15):
        with container(made) as box:
            racers = [box.runtime.popen("create", "--bundle", made.path, box.id) for _ in range(4)]
            results = [outcome(racer) for racer in racers]
            assert results.count(0) == 1, results
            assert box.status == "created"
            box.must("start")
            assert box.status == "running"
            remove(box)


def test_creates_in_one_cgroup_have_one_winner(container, bundle):
    made = bundle("sleep")
    for _ in range(10):
        with container(made) as one, container(made) as two:
            results = [outcome(r) for r in
                       [one.runtime.popen("create", "--bundle", made.path, box.id) for box in (one, two)]]
            assert results.count(0) == 1, results
            remove(one)
            remove(two)


def test_create_against_delete(container, bundle):
    made = bundle("sleep")
    dice = random.Random(SEED)
    for _ in range(25):
        with container(made) as box:
            create = box.runtime.popen("create", "--bundle", made.path, box.id)
            try:
                create.wait(dice.uniform(0, 0.01))
            except Exception:
                pass
            delete = box.runtime.popen("delete", "--force", box.id)
            assert outcome(delete) == 0
            outcome(create)
            remove(box)


@pytest.mark.parametrize("first, second", [("start", "start"), ("start", "delete"), ("start", "kill"), ("pause", "delete"),
                                           ("delete", "delete"), ("kill", "delete")])
def test_pairs(container, bundle, first, second):
    made = bundle("sleep")
    force = {"delete": ["delete", "--force"], "kill": ["kill"]}
    for _ in range(8):
        with container(made) as box:
            box.must("create")
            if first in ("pause", "kill"):
                box.must("start")
            racers = [box.runtime.popen(*force.get(command, [command]), box.id, *(["KILL"] if command == "kill" else []))
                      for command in (first, second)]
            results = [outcome(racer) for racer in racers]
            if (first, second) == ("start", "start"):
                assert results.count(0) == 1, results
            if second == "delete":
                assert results[1] == 0, results
            remove(box)


def test_many_at_once(container, bundle):
    """Different ids do not wait for each other or mix."""
    boxes = [container(bundle("exit", 10 + i)) for i in range(12)]
    running = [box.background() for box in boxes]
    assert [outcome(process) for process in running] == [10 + i for i in range(12)]
