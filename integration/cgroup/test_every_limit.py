"""Every property of linux.resources, on cgroup v1, on cgroup2 and in a unit of systemd: set by create, read back from the
kernel's files and the unit's properties, changed by `update`, read back again. Where a version has no such limit, or a
view not the controller, create and update say so.

Here the host has v1 (and cgroup2 for huge pages), the virtual machine cgroup2 and systemd. Two things are nowhere to be
had and proven in tests/cgroup only: v1's rdma and hugetlb hierarchies (cgroup2 holds these controllers wherever the kernel
has them), and leaf weights (of the CFQ scheduler, which Linux 5.0 dropped)."""

import json
import os
import subprocess

import pytest

from harness import bpf
from harness.marks import CGROUP_MODES, HAS_V1
from harness.unit import scope_of, show

MB = 1 << 20
UNLIMITED_V1 = str((1 << 63) - 4096)
BFQ, PLAIN = "{bfq}", "{disk}"  # stand for the numbers of devices of this host, major:minor


class At:
    """A file and what it says: after create, after update."""

    def __init__(self, controller, file, first, then):
        self.controller, self.file, self.values = controller, file, (str(first), str(then))


class Limits:
    """Resources for create and for update; where v1 and cgroup2 have them and what systemd calls them. A text in place of
    files is the property that the error of this version names."""

    def __init__(self, first, then, v1, v2, unit=None):
        self.resources, self.v1, self.v2, self.unit = (first, then), v1, v2, unit or {}


def device_rate(first, then):
    return [{name: [{"device": PLAIN, "rate": rate + index}] for index, name in enumerate(
        ("throttleReadBpsDevice", "throttleWriteBpsDevice", "throttleReadIOPSDevice", "throttleWriteIOPSDevice"))}
        for rate in (first, then)]


def weight(first, then):
    return [{"weight": value, "weightDevice": [{"device": BFQ, "weight": value + 1}]} for value in (first, then)]


def rule(minor):
    return [{"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 10, "minor": minor, "access": "rw"}]


LIMITS = {
    "memory": Limits(
        {"memory": {"limit": 64 * MB, "reservation": 32 * MB, "swap": 96 * MB, "checkBeforeUpdate": True}},
        {"memory": {"limit": 128 * MB, "reservation": 48 * MB, "swap": 192 * MB, "checkBeforeUpdate": True}},
        v1=[At("memory", "memory.limit_in_bytes", 64 * MB, 128 * MB),
            At("memory", "memory.soft_limit_in_bytes", 32 * MB, 48 * MB),
            At("memory", "memory.memsw.limit_in_bytes", 96 * MB, 192 * MB)],
        v2=[At("memory", "memory.max", 64 * MB, 128 * MB), At("memory", "memory.low", 32 * MB, 48 * MB),
            At("memory", "memory.swap.max", 32 * MB, 64 * MB)],
        unit={"MemoryMax": (64 * MB, 128 * MB), "MemoryLow": (32 * MB, 48 * MB), "MemorySwapMax": (32 * MB, 64 * MB)}),
    "memory, no limit": Limits(
        {"memory": {"limit": 64 * MB, "reservation": 32 * MB, "swap": 64 * MB}},
        {"memory": {"limit": -1, "reservation": -1, "swap": -1}},
        v1=[At("memory", "memory.limit_in_bytes", 64 * MB, UNLIMITED_V1),
            At("memory", "memory.soft_limit_in_bytes", 32 * MB, UNLIMITED_V1),
            At("memory", "memory.memsw.limit_in_bytes", 64 * MB, UNLIMITED_V1)],
        v2=[At("memory", "memory.max", 64 * MB, "max"), At("memory", "memory.low", 32 * MB, "max"),
            At("memory", "memory.swap.max", 0, "max")],
        unit={"MemoryMax": (64 * MB, "infinity"), "MemoryLow": (32 * MB, "infinity"), "MemorySwapMax": (0, "infinity")}),
    "memory, swappiness": Limits(
        {"memory": {"swappiness": 17}}, {"memory": {"swappiness": 30}},
        v1=[At("memory", "memory.swappiness", 17, 30)], v2="/memory/swappiness"),
    "memory, OOM killer": Limits(
        {"memory": {"disableOOMKiller": True}}, {"memory": {"disableOOMKiller": False}},
        v1=[At("memory", "memory.oom_control", "oom_kill_disable 1", "oom_kill_disable 0")], v2="/memory/disableOOMKiller"),
    "memory, kernelTCP": Limits(
        {"memory": {"kernelTCP": MB}}, {"memory": {"kernelTCP": 2 * MB}},
        v1=[At("memory", "memory.kmem.tcp.limit_in_bytes", MB, 2 * MB)], v2="/memory/kernelTCP"),
    "cpu": Limits(
        {"cpu": {"shares": 1024, "quota": 50_000, "period": 200_000, "burst": 20_000}},
        {"cpu": {"shares": 2, "quota": 20_100, "period": 100_000, "burst": 1000}},
        v1=[At("cpu", "cpu.shares", 1024, 2), At("cpu", "cpu.cfs_quota_us", 50_000, 20_100),
            At("cpu", "cpu.cfs_period_us", 200_000, 100_000), At("cpu", "cpu.cfs_burst_us", 20_000, 1000)],
        v2=[At("cpu", "cpu.weight", 100, 1), At("cpu", "cpu.max", "50000 200000", "20100 100000"),
            At("cpu", "cpu.max.burst", 20_000, 1000)],
        # systemd keeps whole percents, the file has what was asked for.
        unit={"CPUWeight": (100, 1), "CPUQuotaPerSecUSec": ("250ms", "210ms"), "CPUQuotaPeriodUSec": ("200ms", "100ms")}),
    "cpu, no quota": Limits(
        {"cpu": {"quota": 20_000, "shares": 262144}}, {"cpu": {"quota": -1}},
        v1=[At("cpu", "cpu.cfs_quota_us", 20_000, -1), At("cpu", "cpu.shares", 262144, 262144)],
        v2=[At("cpu", "cpu.max", "20000 100000", "max 100000"), At("cpu", "cpu.weight", 10_000, 10_000)],
        unit={"CPUQuotaPerSecUSec": ("200ms", "infinity"), "CPUWeight": (10_000, 10_000)}),
    "cpu, idle": Limits(
        {"cpu": {"idle": 1}}, {"cpu": {"idle": 0}},
        v1=[At("cpu", "cpu.idle", 1, 0)], v2=[At("cpu", "cpu.idle", 1, 0)], unit={"CPUWeight": ("idle", 100)}),
    "cpu, real-time": Limits(
        {"cpu": {"realtimeRuntime": 2000, "realtimePeriod": 900_000}},
        {"cpu": {"realtimeRuntime": 1000, "realtimePeriod": 800_000}},
        v1=[At("cpu", "cpu.rt_runtime_us", 2000, 1000), At("cpu", "cpu.rt_period_us", 900_000, 800_000)],
        v2="/cpu/realtime"),
    "cpuset": Limits(
        {"cpu": {"cpus": "0", "mems": "0"}}, {"cpu": {"cpus": "0-1", "mems": "0"}},
        v1=[At("cpuset", "cpuset.cpus", "0", "0-1"), At("cpuset", "cpuset.mems", 0, 0)],
        v2=[At("cpuset", "cpuset.cpus", "0", "0-1"), At("cpuset", "cpuset.mems", 0, 0)],
        unit={"AllowedCPUs": (0, "0-1"), "AllowedMemoryNodes": (0, 0)}),
    "pids": Limits(
        {"pids": {"limit": 20}}, {"pids": {"limit": -1}},
        v1=[At("pids", "pids.max", 20, "max")], v2=[At("pids", "pids.max", 20, "max")],
        unit={"TasksMax": (20, "infinity")}),
    "pids, none": Limits(  # a limit of its own since version 1.3; systemd knows none below 1
        {"pids": {"limit": 0}}, {"pids": {"limit": 1}},
        v1=[At("pids", "pids.max", 0, 1)], v2=[At("pids", "pids.max", 0, 1)], unit={"TasksMax": (1, 1)}),
    "pids, no limit": Limits(
        {"pids": {"limit": -1}}, {"pids": {"limit": 20}},
        v1=[At("pids", "pids.max", "max", 20)], v2=[At("pids", "pids.max", "max", 20)],
        unit={"TasksMax": ("infinity", 20)}),
    "blockIO, weight": Limits(
        *({"blockIO": block_io} for block_io in weight(300, 500)),
        v1=[At("blkio", "blkio.bfq.weight", 300, 500),
            At("blkio", "blkio.bfq.weight_device", f"{BFQ} 301", f"{BFQ} 501")],
        v2=[At("io", "io.bfq.weight", "default 300", "default 500"),
            At("io", "io.bfq.weight", f"{BFQ} 301", f"{BFQ} 501")],
        unit={"IOWeight": (2930, 4950)}),
    "blockIO, leaf weight": Limits(
        {"blockIO": {"leafWeight": 300}}, {"blockIO": {"leafWeight": 400}},
        v1="/blockIO/leafWeight", v2="/blockIO/leafWeight"),
    "blockIO, rates": Limits(
        *({"blockIO": block_io} for block_io in device_rate(1 << 20, 2 << 20)),
        v1=[At("blkio", f"blkio.throttle.{name}_device", f"{PLAIN} {(1 << 20) + index}", f"{PLAIN} {(2 << 20) + index}")
            for index, name in enumerate(("read_bps", "write_bps", "read_iops", "write_iops"))],
        v2=[At("io", "io.max", *(PLAIN + "".join(f" {name}={rate + index}" for index, name in enumerate(
            ("rbps", "wbps", "riops", "wiops"))) for rate in (1 << 20, 2 << 20)))]),
    "hugepageLimits": Limits(
        {"hugepageLimits": [{"pageSize": "2MB", "limit": 4 * MB}]}, {"hugepageLimits": [{"pageSize": "2MB", "limit": 8 * MB}]},
        v1=[At("", "hugetlb.2MB.max", 4 * MB, 8 * MB), At("", "hugetlb.2MB.rsvd.max", 4 * MB, 8 * MB)],
        v2=[At("hugetlb", "hugetlb.2MB.max", 4 * MB, 8 * MB), At("hugetlb", "hugetlb.2MB.rsvd.max", 4 * MB, 8 * MB)]),
    "network": Limits(
        {"network": {"classID": 0x100001, "priorities": [{"name": "lo", "priority": 3}]}},
        {"network": {"classID": 0x100002, "priorities": [{"name": "lo", "priority": 4}]}},
        v1=[At("net_cls", "net_cls.classid", 0x100001, 0x100002), At("net_prio", "net_prio.ifpriomap", "lo 3", "lo 4")],
        v2="/network/"),
    "rdma": Limits(
        {"rdma": {"rxe_berth": {"hcaHandles": 3, "hcaObjects": 10}}}, {"rdma": {"rxe_berth": {"hcaHandles": 4}}},
        v1=[At("rdma", "rdma.max", "rxe_berth hca_handle=3 hca_object=10", "rxe_berth hca_handle=4 hca_object=10")],
        v2=[At("rdma", "rdma.max", "rxe_berth hca_handle=3 hca_object=10", "rxe_berth hca_handle=4 hca_object=10")]),
    "unified": Limits(
        {"unified": {"memory.high": "48M", "memory.min": "4096", "memory.oom.group": "1", "cgroup.max.depth": "5",
                     "pids.max": "30", "cpu.weight": "42"}},
        {"unified": {"memory.high": str(56 * MB), "memory.min": "8192", "cgroup.max.depth": "6", "pids.max": "max",
                     "cpu.weight": "43"}},
        v1="/unified/",
        v2=[At("memory", "memory.high", 48 * MB, 56 * MB), At("memory", "memory.min", 4096, 8192),
            At("memory", "memory.oom.group", 1, 1), At("memory", "cgroup.max.depth", 5, 6),
            At("pids", "pids.max", 30, "max"), At("cpu", "cpu.weight", 42, 43)],
        unit={"MemoryHigh": (48 * MB, 56 * MB), "MemoryMin": (4096, 8192), "TasksMax": (30, "infinity"),
              "CPUWeight": (42, 43)}),
    "unified, of cgroup2 itself": Limits(
        {"unified": {"cgroup.max.descendants": "7"}}, {"unified": {"cgroup.max.descendants": "8"}},
        v1=[At("", "cgroup.max.descendants", 7, 8)], v2=[At("", "cgroup.max.descendants", 7, 8)]),
    "devices": Limits(
        {"devices": rule(200)}, {"devices": rule(237)},
        v1=[At("devices", "devices.list", "c 10:200 rwm", "c 10:237 rwm")], v2=[At("", "a program", 1, 1)]),
}


def says(text, wanted):
    """Whether a file has this line. Of a device's line all that is wanted; the kernel may say more of it."""
    if ":" in wanted.split()[0] and "=" in wanted:
        return any(set(wanted.split()) <= set(line.split()) for line in text.splitlines())
    return wanted in [line.strip() for line in text.splitlines()]


class Subject:
    """A created container with its limits."""

    def __init__(self, box, view, numbers):
        self.box, self.view, self.numbers = box, view, numbers

    def check(self, at, step):
        directory = self.view.cgroup_of(self.box.pid, at.controller)
        if at.file == "a program":
            assert len(bpf.attached(directory)) == int(at.values[step])
            return
        with open(os.path.join(directory, at.file)) as file:
            text = file.read()
        assert says(text, at.values[step].format(**self.numbers)), (at.file, text, at.values[step])

    def check_unit(self, properties, step):
        if self.view.systemd and properties:
            found = show(scope_of(self.box.bundle.config["linux"]["cgroupsPath"]), *properties)
            assert dict(zip(properties, found)) == {name: str(values[step]) for name, values in properties.items()}

    def update(self, resources):
        return self.box.runtime("update", "--resources=-", self.box.id, input=json.dumps(resources))


def with_numbers(resources, numbers):
    """The resources with devices of this host."""
    text = json.dumps(resources)
    for name, number in numbers.items():
        major, minor = number.split(":")
        text = text.replace('"device": "{%s}"' % name, f'"major": {major}, "minor": {minor}')
    return json.loads(text)


@pytest.fixture(scope="module", autouse=True)
def modules():
    """What a kernel with modules has not loaded yet: the scheduler with weights, and soft RoCE. No error elsewhere."""
    for command in ("modprobe -q -a bfq loop dummy rdma_rxe", "ip link add berth-rxe type dummy", "ip link set berth-rxe up",
                    "rdma link add rxe_berth type rxe netdev berth-rxe"):
        if HAS_V1 or subprocess.run(command.split(), stderr=subprocess.DEVNULL).returncode != 0:
            return


def block_devices():
    """Names below /sys/block, and whether they have a size."""
    for name in sorted(os.listdir("/sys/block")):
        with open(f"/sys/block/{name}/size") as file:
            yield name, int(file.read()) > 0


@pytest.fixture
def numbers():
    """A device that can be throttled, and one with the scheduler BFQ: a loop device that nobody uses."""
    found = {}
    scheduler = before = None
    for name, has_size in block_devices():
        with open(f"/sys/block/{name}/dev") as file:
            number = file.read().strip()
        queue = f"/sys/block/{name}/queue/scheduler"
        if has_size:
            found.setdefault("disk", number)
        elif name.startswith("loop") and scheduler is None and os.path.exists(queue):
            with open(queue) as file:
                schedulers = file.read()
            if "bfq" in schedulers:
                scheduler, before = queue, schedulers.split("[")[1].split("]")[0]
                found["bfq"] = number
                with open(queue, "w") as file:
                    file.write("bfq")
    yield found
    if scheduler:
        with open(scheduler, "w") as file:
            file.write(before)


def skip_what_is_not_here(where, numbers):
    for at in where:
        for name in ("bfq", "disk"):
            if "{" + name + "}" in at.values[0] and name not in numbers:
                pytest.skip("this host has no unused loop device and scheduler bfq" if name == "bfq"
                            else "this host has no block device")
        if at.controller == "rdma" and not os.path.exists("/sys/class/infiniband/rxe_berth"):
            pytest.skip("this kernel has no soft RoCE")


CASES = [(view, name) for view in CGROUP_MODES for name in LIMITS]
if not HAS_V1:
    CASES.append(("hybrid", "network"))


@pytest.mark.parametrize("view, name", CASES, indirect=["view"])
def test_set_and_changed(container, bundle, view, name, numbers):
    limits = LIMITS[name]
    where = limits.v2 if view.unified else limits.v1
    first, then = (with_numbers(resources, numbers) for resources in limits.resources)
    if isinstance(where, str):
        check_refusal(container, bundle, view, first, where)
        return
    missing = [at.controller for at in where if at.controller and at.controller not in view.controllers]
    if missing and name.startswith("pids, "):
        pytest.skip(f"to have no limit needs no controller, and {missing[0]} is missing")
    if missing:
        check_refusal(container, bundle, view, first, "/" + next(iter(first)), missing)
        return
    skip_what_is_not_here(where, numbers)

    def change(config):
        config["ociVersion"] = "1.3.0"
        config["linux"]["resources"].update(first)

    with container(bundle("sleep", change=change)) as box:
        box.must("create")
        subject = Subject(box, view, numbers)
        for step in (0, 1):
            if step == 1:
                updated = subject.update(then)
                assert updated.ok and not updated.stderr, updated
            for at in where:
                subject.check(at, step)
            subject.check_unit(limits.unit, step)


def check_refusal(container, bundle, view, resources, pointer, missing=()):
    """One line, from both commands, that names the property and a controller that is missing."""
    def check(error):
        assert "/linux/resources" + pointer in error
        assert not missing or any(f"controller {name} is missing" in error for name in missing), error

    with container(bundle("exit", 0, change=lambda config: config["linux"]["resources"].update(resources))) as box:
        check(box.run().error)
    with container(bundle("sleep")) as box:
        box.must("create")
        check(Subject(box, view, {}).update(resources).error)
