"""Limits as containers feel them, and those that cannot be. What each property writes: test_every_limit.py."""

import errno

import pytest

from harness.marks import both_views, every_mode


def resources(**values):
    return lambda config: config["linux"]["resources"].update(values)


def needs(view, controller):
    if controller not in view.controllers:
        pytest.skip(f"no {controller} controller in the {view.name} view")


def by_version(view, v1, v2):
    return v2 if view.unified else v1


@both_views
@pytest.mark.parametrize("values, file", [
    # Docker writes shares 0 and weight 0 for limits that nobody asked for.
    ({"cpu": {"shares": 0}, "blockIO": {"weight": 0}, "memory": {"disableOOMKiller": False}}, None),
    # Who is idle has no share.
    ({"cpu": {"idle": 1, "shares": 512}}, ("cpu.idle", "1")), ({"cpu": {"idle": 0, "shares": 512}}, ("cpu.idle", "0"))])
def test_values_that_say_nothing(container, bundle, view, values, file):
    needs(view, "cpu")
    file, value = file or by_version(view, ("cpu.shares", "1024"), ("cpu.weight", "100"))
    with container(bundle("sleep", change=resources(**values))) as box:
        box.must("create")
        with open(f"{view.cgroup_of(box.pid, 'cpu')}/{file}") as opened:
            assert opened.read().strip() == value


@every_mode
def test_pids_limit_stops_forks(run, view):
    needs(view, "pids")
    result = run("forks", 30, change=resources(pids={"limit": 10})).json
    assert result == {"made": 9, "errno": errno.EAGAIN}


@every_mode
def test_memory_limit_kills(container, bundle, view):
    needs(view, "memory")
    with container(bundle("alloc", 64 << 20, change=resources(memory={"limit": 16 << 20, "swap": 16 << 20}))) as box:
        result = box.run()
        assert result.status == 137, result
    with container(bundle("alloc", 4 << 20, change=resources(memory={"limit": 16 << 20}))) as box:
        assert box.run().stdout == "allocated\n"


@every_mode
def test_memory_limit_that_is_too_low_to_start(container, bundle, view):
    """The error says what happened instead of an end of file."""
    needs(view, "memory")
    with container(bundle("exit", 0, change=resources(memory={"limit": 4096}))) as box:
        assert "memory" in box.run().error.lower()


@every_mode
def test_cpuset_is_felt(report, view):
    needs(view, "cpuset")
    assert report(change=resources(cpu={"cpus": "0", "mems": "0"})).scheduling["cpus"] == [0]


@both_views
def test_limit_for_kernel_memory_is_ignored_with_a_warning(run):
    """Linux 5.16 gave the limit up: `docker run --kernel-memory` starts all the same, as with runc."""
    result = run("exit", 0, change=resources(memory={"kernel": 64 << 20}))
    assert result.ok and "/linux/resources/memory/kernel" in result.stderr, result


@both_views
def test_counting_children_is_no_choice_any_more(run, view):
    """memory/useHierarchy: cgroup2 always does, v1 since Linux 5.11."""
    if not view.unified:
        needs(view, "memory")
    assert run("exit", 0, change=resources(memory={"useHierarchy": True})).ok
    assert "/linux/resources/memory/useHierarchy" in run("exit", 0, change=resources(memory={"useHierarchy": False})).error


@both_views
def test_block_io_of_a_device_that_is_not_there(run, view):
    needs(view, by_version(view, "blkio", "io"))
    error = run("exit", 0, change=resources(blockIO={"throttleReadBpsDevice": [
        {"major": 4000, "minor": 9, "rate": 1}]})).error
    assert "/linux/resources/blockIO/throttleReadBpsDevice" in error and "no block device" in error


@both_views
@pytest.mark.parametrize("values, pointer", [
    ({"cpu": {"cpus": "99999"}}, "cpu"), ({"cpu": {"quota": 1}}, "cpu"), ({"memory": {"limit": -2}}, "memory"),
    ({"pids": {"limit": "x"}}, "/linux/resources/pids/limit")])
def test_bad_limits(run, view, values, pointer):
    needs(view, next(iter(values)))
    assert pointer in run("exit", 0, change=resources(**values)).error


@pytest.mark.parametrize("key", ["../cgroup.procs", "a/b", "..", ""])
def test_unified_keys_are_names(run, key):
    error = run("exit", 0, change=resources(unified={key: "1"})).error
    assert "/linux/resources/unified" in error
