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


def test_cpu_idle(limits, view):
    change = resources(cpu={"idle": 1, "shares": 512})  # who is idle has no share
    assert limits("cpu", change, "cpu.idle") == ["1"]
    assert limits("cpu", resources(cpu={"idle": 0, "shares": 512}), "cpu.idle", "cpu.shares" if not view.unified else
                  "cpu.weight")[0] == "0"


def test_realtime_budget(limits, view):
    if view.unified:
        pytest.skip("cgroup2 has no budget for real-time processes")
    change = resources(cpu={"realtimeRuntime": 2000, "realtimePeriod": 900000})
    assert limits("cpu", change, "cpu.rt_runtime_us", "cpu.rt_period_us") == ["2000", "900000"]


def test_memory_limits_that_only_v1_has(limits, view):
    if view.unified:
        pytest.skip("see test_limits_that_cgroup2_does_not_have")
    change = resources(memory={"kernelTCP": 1 << 20, "disableOOMKiller": True, "useHierarchy": True})
    tcp, oom, hierarchy = limits("memory", change, "memory.kmem.tcp.limit_in_bytes", "memory.oom_control",
                                 "memory.use_hierarchy")
    assert (tcp, hierarchy) == (str(1 << 20), "1")
    assert "oom_kill_disable 1" in oom.splitlines()


def test_limit_for_kernel_memory_is_ignored_with_a_warning(run):
    """Linux 5.16 gave the limit up: `docker run --kernel-memory` starts all the same, as with runc."""
    result = run("exit", 0, change=resources(memory={"kernel": 64 << 20}))
    assert result.ok and "/linux/resources/memory/kernel" in result.stderr, result


@pytest.mark.parametrize("kind, values", [
    ("memory", {"kernelTCP": 1 << 20}), ("memory", {"swappiness": 10}),
    ("memory", {"disableOOMKiller": True}), ("memory", {"useHierarchy": False}), ("cpu", {"realtimeRuntime": 1000}),
    ("cpu", {"realtimePeriod": 1000000}), ("blockIO", {"leafWeight": 100})])
def test_limits_that_cgroup2_does_not_have(run, view, kind, values):
    if not view.unified:
        pytest.skip("v1 has them")
    assert f"/linux/resources/{kind}/{next(iter(values))}" in run("exit", 0, change=resources(**{kind: values})).error


def test_block_io_weight(limits, view):
    files = by_version(view, "blkio.bfq.weight", "io.bfq.weight")
    value = limits(by_version(view, "blkio", "io"), resources(blockIO={"weight": 300}), files)
    assert value[0].split()[-1] == "300"


@pytest.fixture
def bfq_device():
    """A loop device that nobody uses, with the scheduler BFQ: the kernel has no weights for others."""
    for name in sorted(os.listdir("/sys/block")):
        scheduler = f"/sys/block/{name}/queue/scheduler"
        if name.startswith("loop") and read_text(f"/sys/block/{name}/size") == "0\n" and "bfq" in read_text(scheduler):
            before = read_text(scheduler).split("[")[1].split("]")[0]
            write_text(scheduler, "bfq")
            yield read_text(f"/sys/block/{name}/dev").strip()
            write_text(scheduler, before)
            return
    pytest.skip("this host has no unused loop device and scheduler bfq")


def test_block_io_weight_of_a_device(limits, view, bfq_device):
    major, minor = map(int, bfq_device.split(":"))
    change = resources(blockIO={"weightDevice": [{"major": major, "minor": minor, "weight": 300}]})
    value = limits(by_version(view, "blkio", "io"), change,
                   by_version(view, "blkio.bfq.weight_device", "io.bfq.weight"))[0]
    assert f"{bfq_device} 300" in value.splitlines()


def write_text(path, text):
    with open(path, "w") as file:
        file.write(text)


def read_text(path):
    with open(path) as file:
        return file.read()


def disk():
    """Major and minor number of a block device of this host that can be throttled."""
    for name in sorted(os.listdir("/sys/block")):
        with open(f"/sys/block/{name}/size") as size, open(f"/sys/block/{name}/dev") as number:
            if int(size.read()) > 0:
                return tuple(map(int, number.read().split(":")))
    pytest.skip("this host has no block device")


@pytest.mark.parametrize("name, file, key", [
    ("throttleReadBpsDevice", "read_bps", "rbps"), ("throttleWriteBpsDevice", "write_bps", "wbps"),
    ("throttleReadIOPSDevice", "read_iops", "riops"), ("throttleWriteIOPSDevice", "write_iops", "wiops")])
def test_block_io_throttle(limits, view, name, file, key):
    major, minor = disk()
    change = resources(blockIO={name: [{"major": major, "minor": minor, "rate": 123456}]})
    value = limits(by_version(view, "blkio", "io"), change,
                   by_version(view, f"blkio.throttle.{file}_device", "io.max"))[0]
    assert value.startswith(f"{major}:{minor} ")
    assert by_version(view, "123456", f"{key}=123456") in value.split()


def test_block_io_of_a_device_that_is_not_there(run, view):
    if by_version(view, "blkio", "io") not in view.controllers:
        pytest.skip("no io controller in the v2 view: a v1 hierarchy of this host holds it")
    error = run("exit", 0, change=resources(blockIO={"throttleReadBpsDevice": [
        {"major": 4000, "minor": 9, "rate": 1}]})).error
    assert "/linux/resources/blockIO/throttleReadBpsDevice" in error and "no block device" in error


def test_huge_pages(limits, view):
    """Both what is used and what is reserved (the latter since Linux 5.7)."""
    files = [f"hugetlb.2MB.{kind}{by_version(view, 'limit_in_bytes', 'max')}" for kind in ("", "rsvd.")]
    change = resources(hugepageLimits=[{"pageSize": "2MB", "limit": 4 << 20}])
    assert limits("hugetlb", change, *files) == [str(4 << 20)] * 2


@pytest.mark.parametrize("kind, values, controller, file, written", [
    ("network", {"classID": 0x100001}, "net_cls", "net_cls.classid", str(0x100001)),
    ("network", {"priorities": [{"name": "lo", "priority": 3}]}, "net_prio", "net_prio.ifpriomap", "lo 3"),
    ("rdma", {"mlx5_0": {"hcaHandles": 3, "hcaObjects": 10}}, "rdma", "rdma.max",
     "mlx5_0 hca_handle=3 hca_object=10")])
def test_limits_of_rare_controllers(run, limits, view, kind, values, controller, file, written):
    """Written where the host has the controller; else an error that names it."""
    change = resources(**{kind: values})
    if controller not in view.controllers:
        error = run("exit", 0, change=change).error
        assert f"/linux/resources/{kind}/" in error and f"controller {controller}" in error
        return
    if controller == "rdma" and not os.path.exists("/sys/class/infiniband/mlx5_0"):
        pytest.skip("the host has no such device")
    assert written in limits(controller, change, file)[0].splitlines()


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
