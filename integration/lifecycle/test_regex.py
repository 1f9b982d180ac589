"""kill and delete of many containers, whose ids match an expression."""

import contextlib

import pytest

from harness.host import reap_children
from harness.runtime import exit_status


@pytest.fixture
def several(container, bundle):
    """several("a", "b") is a context of created containers with ids of a common beginning, by their suffix."""
    @contextlib.contextmanager
    def several(*suffixes):
        with contextlib.ExitStack() as stack:
            common = bundle.new_id()
            boxes = {}
            for suffix in suffixes:
                own = bundle("sleep")
                boxes[suffix] = stack.enter_context(container(own, id=f"{common}-{suffix}"))
                boxes[suffix].must("create")
            yield common, boxes
            reap_children()
    return several


def statuses(boxes):
    return {suffix: box.status for suffix, box in boxes.items()}


def test_kill_of_those_that_match(several, runtime):
    with several("web-1", "web-2", "db") as (common, boxes):
        pids = [boxes[suffix].pid for suffix in ("web-1", "web-2")]
        result = runtime("kill", "--regex", f"^{common}-web-[0-9]+$", "KILL")
        assert (result.status, result.stdout, result.stderr) == (0, "", "")
        assert [exit_status(pid) for pid in pids] == [137, 137]
        assert statuses(boxes) == {"web-1": "stopped", "web-2": "stopped", "db": "created"}


def test_expression_is_extended_and_matches_anywhere(several, runtime):
    with several("ab", "abb", "ac") as (common, boxes):
        assert runtime("kill", "-r", f"{common}-ab{{2}}", "KILL").ok
        boxes["abb"].wait_status("stopped")
        assert statuses(boxes) == {"ab": "created", "abb": "stopped", "ac": "created"}
        assert runtime("delete", "-r", "-f", f"{common}-a(b|c)$").ok
        assert runtime("list", "-q").stdout.split() == [boxes["abb"].id]


def test_all_are_tried_though_one_fails(several, runtime):
    with several("a", "b", "c") as (common, boxes):
        boxes["b"].must("kill", "KILL")
        boxes["b"].wait_status("stopped")
        error = runtime("delete", "--regex", common).error
        assert error.startswith(f'berth: delete "{common}": 2 of 3 containers: "{boxes["a"].id}": cannot delete')
        assert boxes["c"].id in error
        assert runtime("list", "-q").stdout.split() == [boxes["a"].id, boxes["c"].id]
        error = runtime("kill", "--regex", "--", f"{common}-x|{common}-a", "NOSUCH").error
        assert 'unknown signal "NOSUCH"' in error


def test_nothing_matches(runtime, bundle):
    none = bundle.new_id()
    for command in (("kill", "--regex", none, "KILL"), ("delete", "--regex", none), ("delete", "-fr", none)):
        result = runtime(*command)
        assert (result.status, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("command", ["kill", "delete"])
def test_no_expression(runtime, command):
    assert "not a regular expression: " in runtime(command, "--regex", "a(").error


def test_an_id_is_no_expression_without_the_flag(several, runtime):
    with several("a") as (common, boxes):
        assert "does not exist" in runtime("kill", f"{common}-.", "KILL").error
        assert boxes["a"].status == "created"
