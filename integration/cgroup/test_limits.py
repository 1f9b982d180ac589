"""Limits: written where the kernel reads them, and felt."""

import errno
import os

import pytest

from harness.marks import both_views

pytestmark = both_views


def resources(**values):
    return lambda config: config["linux"]["resources"].update(values)


@pytest.fixture
def limits(container, bundle, view):
    """limits(controller, resources, file...): creates a container and reads files of its cgroup."""
    def read(controller, change, *files):
        if controller not in view.controllers:
            pytest.skip(f"no {controller} controller in the {view.name} view: a v1 hierarchy of this host holds it"
                        if view.unified else f"this host has no {controller} controller")
        with container(bundle("sleep", change=change)) as box:
            box.must("create")
            directory = view.cgroup_of(box.pid, controller)
            if not all(os.path.exists(os.path.join(directory, name)) for name in files):
                pytest.skip(f"this kernel has no {files} in {controller} cgroups")
            return [open(os.path.join(directory, name)).read().strip() for name in files]
    return read


def by_version(view, v1, v2):
    return v2 if view.unified else v1


@pytest.mark.parametrize("limit, written", [(20, "20"), (1, "1"), (-1, "max")])
def test_pids(limits, limit, written):
    assert limits("pids", resources(pids={"limit": limit}), "pids.max") == [written]


def test_memory(limits, view):
    change = resources(memory={"limit": 64 << 20, "reservation": 32 << 20})
    files = by_version(view, ["memory.limit_in_bytes", "memory.soft_limit_in_bytes"], ["memory.max", "memory.low"])
    assert limits("memory", change, *files) == [str(64 << 20), str(32 << 20)]


def test_unlimited_memory(limits, view):
    value = limits("memory", resources(memory={"limit": -1}), by_version(view, "memory.limit_in_bytes", "memory.max"))
    assert value in (["max"], [str((1 << 63) - 4096)])


def test_swap_is_memory_and_swap_together(limits, view):
    change = resources(memory={"limit": 64 << 20, "swap": 96 << 20})
    name = by_version(view, "memory.memsw.limit_in_bytes", "memory.swap.max")
    assert limits("memory", change, name) == [str(by_version(view, 96 << 20, 32 << 20))]


def test_swappiness(limits, view):
    if view.unified:
        pytest.skip("cgroup2 has no swappiness")
    assert limits("memory", resources(memory={"swappiness": 17}), "memory.swappiness") == ["17"]


@pytest.mark.parametrize("shares, weight", [(1024, "100"), (2, "1"), (262144, "10000")])
def test_cpu_shares(limits, view, shares, weight):
    value = limits("cpu", resources(cpu={"shares": shares}), by_version(view, "cpu.shares", "cpu.weight"))
    if view.unified:
        assert 1 <= int(value[0]) <= 10000
        if shares != 1024:  # the middle of the scale depends on the formula
            assert value == [weight]
    else:
        assert value == [str(shares)]


def test_cpu_quota(limits, view):
    change = resources(cpu={"quota": 50000, "period": 200000})
    files = by_version(view, ["cpu.cfs_quota_us", "cpu.cfs_period_us"], ["cpu.max"])
    assert limits("cpu", change, *files) == by_version(view, ["50000", "200000"], ["50000 200000"])


def test_cpu_burst(limits, view):
    change = resources(cpu={"quota": 50000, "period": 100000, "burst": 20000})
    assert limits("cpu", change, by_version(view, "cpu.cfs_burst_us", "cpu.max.burst")) == ["20000"]


def test_cpuset(limits):
    assert limits("cpuset", resources(cpu={"cpus": "0", "mems": "0"}), "cpuset.cpus", "cpuset.mems") == ["0", "0"]


def test_engine_zeros_mean_not_set(limits, view):
    """Docker writes shares 0 and weight 0 for limits that nobody asked for."""
    change = resources(cpu={"shares": 0}, blockIO={"weight": 0}, memory={"disableOOMKiller": False})
    assert limits("cpu", change, by_version(view, "cpu.shares", "cpu.weight")) == [by_version(view, "1024", "100")]


def test_pids_limit_stops_forks(run, view):
    if "pids" not in view.controllers:
        pytest.skip("no pids controller in the v2 view: a v1 hierarchy of this host holds it")
    result = run("forks", 30, change=resources(pids={"limit": 10})).json
    assert result == {"made": 9, "errno": errno.EAGAIN}


def test_memory_limit_kills(container, bundle, view):
    if "memory" not in view.controllers:
        pytest.skip("no memory controller in the v2 view: a v1 hierarchy of this host holds it")
    with container(bundle("alloc", 64 << 20, change=resources(memory={"limit": 16 << 20, "swap": 16 << 20}))) as box:
        result = box.run()
        assert result.status == 137, result
    with container(bundle("alloc", 4 << 20, change=resources(memory={"limit": 16 << 20}))) as box:
        assert box.run().stdout == "allocated\n"


def test_memory_limit_that_is_too_low_to_start(container, bundle, view):
    """The error says what happened instead of an end of file."""
    if "memory" not in view.controllers:
        pytest.skip("no memory controller in the v2 view: a v1 hierarchy of this host holds it")
    with container(bundle("exit", 0, change=resources(memory={"limit": 4096}))) as box:
        assert "memory" in box.run().error.lower()


def test_cpuset_is_felt(report, view):
    if "cpuset" not in view.controllers:
        pytest.skip("no cpuset controller in the v2 view: a v1 hierarchy of this host holds it")
    assert report(change=resources(cpu={"cpus": "0", "mems": "0"})).scheduling["cpus"] == [0]


def test_limit_without_a_controller_is_refused(run, view):
    """A limit that cannot be kept is an error, never dropped."""
    if "pids" in view.controllers:
        pytest.skip("every controller is here")
    error = run("exit", 0, change=resources(pids={"limit": 10})).error
    assert "pids" in error


@pytest.mark.parametrize("values, pointer", [
    ({"cpu": {"cpus": "99999"}}, "cpu"), ({"cpu": {"quota": 1}}, "cpu"), ({"memory": {"limit": -2}}, "memory"),
    ({"pids": {"limit": "x"}}, "/linux/resources/pids/limit")])
def test_bad_limits(run, view, values, pointer):
    if next(iter(values)) not in view.controllers:
        pytest.skip("the view has no such controller")
    assert pointer in run("exit", 0, change=resources(**values)).error


def test_unified(limits, view):
    if not view.unified:
        pytest.skip("`unified` names files of cgroup2")
    change = resources(unified={"cgroup.max.descendants": "7"})
    with_limit = limits("hugetlb" if "hugetlb" in view.controllers else "pids", change, "cgroup.max.descendants")
    assert with_limit == ["7"]


@pytest.mark.parametrize("key", ["../cgroup.procs", "a/b", "..", ""])
def test_unified_keys_are_names(run, key):
    error = run("exit", 0, change=resources(unified={key: "1"})).error
    assert "/linux/resources/unified" in error
