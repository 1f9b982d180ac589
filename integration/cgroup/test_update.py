"""`update`: limits of a living container, read back from the kernel's files."""

import json
import os
import time

import pytest

from harness import bpf
from harness.marks import both_views, every_mode, has_capability
from harness.runtime import exit_status, wait_until
from harness.unit import scope_of, show

MB = 1 << 20


def resources(**values):
    return lambda config: config["linux"]["resources"].update(values)


def by_version(view, v1, v2):
    return v2 if view.unified else v1


class Box:
    """A created container with the files of its cgroup."""

    def __init__(self, container, view):
        self.container, self.view = container, view

    def read(self, controller, file):
        path = os.path.join(self.view.cgroup_of(self.container.pid, controller), file)
        if not os.path.exists(path):
            pytest.skip(f"this kernel has no {file}")
        with open(path) as opened:
            return opened.read().strip()

    def update(self, *options, **resources):
        """With options, or with a document on stdin as engines do it."""
        text = json.dumps(resources) if resources else None
        options = options or ("--resources=-",)
        return self.container.runtime("update", *options, self.container.id, input=text)

    def must_update(self, *options, **resources):
        result = self.update(*options, **resources)
        assert result.ok and not result.stderr, result


@pytest.fixture
def made(container, bundle, view):
    """made(controller, resources) gives a Box; skips where the view has no such controller."""
    boxes = []

    def make(controller, change=None, *command):
        if controller not in view.controllers:
            pytest.skip(f"no {controller} controller in the {view.name} view")
        box = container(bundle(*(command or ("sleep",)), change=change))
        box.__enter__()
        boxes.append(box)
        box.must("create")
        return Box(box, view)
    yield make
    for box in boxes:
        box.__exit__(None, None, None)


@both_views
@pytest.mark.parametrize("option, controller, v1, v2", [
    (("--pids-limit", "7"), "pids", ("pids.max", "7"), ("pids.max", "7")),
    (("--pids-limit", "0"), "pids", ("pids.max", "0"), ("pids.max", "0")),
    (("--pids-limit", "-1"), "pids", ("pids.max", "max"), ("pids.max", "max")),
    (("--memory", "48m"), "memory", ("memory.limit_in_bytes", str(48 * MB)), ("memory.max", str(48 * MB))),
    (("--memory-reservation", "16MiB"), "memory", ("memory.soft_limit_in_bytes", str(16 * MB)),
     ("memory.low", str(16 * MB))),
    (("--cpu-share", "2"), "cpu", ("cpu.shares", "2"), ("cpu.weight", "1")),
    (("--cpu-quota", "20000"), "cpu", ("cpu.cfs_quota_us", "20000"), ("cpu.max", "20000 100000")),
    (("--cpu-period", "200000"), "cpu", ("cpu.cfs_period_us", "200000"), ("cpu.max", "50000 200000")),
    (("--cpu-burst", "10000"), "cpu", ("cpu.cfs_burst_us", "10000"), ("cpu.max.burst", "10000")),
    (("--cpu-idle", "1"), "cpu", ("cpu.idle", "1"), ("cpu.idle", "1")),
    (("--cpu-rt-period", "800000", "--cpu-rt-runtime", "1000"), "cpu", ("cpu.rt_runtime_us", "1000"), None),
    (("--cpuset-cpus", "0"), "cpuset", ("cpuset.cpus", "0"), ("cpuset.cpus", "0")),
    (("--cpuset-mems", "0"), "cpuset", ("cpuset.mems", "0"), ("cpuset.mems", "0")),
    (("--blkio-weight", "400"), by_version, ("blkio.bfq.weight", "400"), ("io.bfq.weight", "default 400"))])
def test_each_limit_by_option(made, view, option, controller, v1, v2):
    """By document: test_every_limit.py."""
    if controller is by_version:
        controller = by_version(view, "blkio", "io")
    before = {"cpu": {"quota": 50000, "period": 100000}, "pids": {"limit": 50}}
    box = made(controller, resources(**{controller: before[controller]} if controller in before else {}))
    if by_version(view, v1, v2) is None:
        assert "/linux/resources/cpu/realtime" in box.update(*option).error
        return
    file, written = by_version(view, v1, v2)
    assert box.read(controller, file) != written or controller == "cpuset"
    box.must_update(*option)
    assert box.read(controller, file) == written


@every_mode
def test_memory_and_swap_in_both_directions(made, view):
    """The kernel refuses memory above memory and swap at every moment in between."""
    limit, swap = by_version(view, ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
                             ("memory.max", "memory.swap.max"))
    box = made("memory", resources(memory={"limit": 64 * MB, "swap": 96 * MB}))
    for memory, both in ((200 * MB, 300 * MB), (32 * MB, 40 * MB)):
        box.must_update("--memory", str(memory), "--memory-swap", str(both))
        assert box.read("memory", limit) == str(memory)
        assert box.read("memory", swap) == str(by_version(view, both, both - memory))
    box.must_update("--memory-swap", str(48 * MB))
    assert box.read("memory", swap) == str(by_version(view, 48, 16) * MB)
    box.must_update("--memory", str(40 * MB))  # their sum stays
    assert box.read("memory", swap) == str(by_version(view, 48, 8) * MB)
    assert "memory" in box.update("--memory", "1g").error
    assert box.read("memory", limit) == str(40 * MB)
    box.must_update("--memory", "-1")
    assert box.read("memory", limit) == by_version(view, str((1 << 63) - 4096), "max")
    assert box.read("memory", swap) == by_version(view, str((1 << 63) - 4096), "max")


@both_views
def test_zeros_of_engines_change_nothing(made, view):
    """What dockerd sends with `docker update --pids-limit 9`: everything else is 0, empty or null."""
    quota = by_version(view, "cpu.cfs_quota_us", "cpu.max")
    box = made("pids", resources(cpu={"quota": 50000, "shares": 500}, pids={"limit": 50}, memory={"limit": 64 * MB}))
    before = box.read("cpu", quota)
    box.must_update(blockIO={"weight": 0}, cpu={"shares": 0, "quota": 0, "period": 0, "cpus": "", "mems": ""},
                    memory={"limit": 0, "reservation": 0, "swap": 0}, pids={"limit": 9}, unified=None, devices=None)
    assert box.read("pids", "pids.max") == "9" and box.read("cpu", quota) == before
    box.must_update(pids={"limit": 0})  # of a document; by option it is what somebody wants
    assert box.read("pids", "pids.max") == "9"


@both_views
def test_a_controller_of_cgroup2_beside_v1_is_enabled_when_it_is_needed(made, view):
    root = view.mounts.get("")
    if view.unified or root is None or "hugetlb" not in open(root + "/cgroup.controllers").read().split():
        pytest.skip("not a hybrid host whose cgroup2 has huge pages")
    box = made("pids")
    box.must_update(hugepageLimits=[{"pageSize": "2MB", "limit": 8 * MB}])
    with open(view.cgroups_of(box.container.pid)[""] + "/hugetlb.2MB.max") as file:
        assert file.read().strip() == str(8 * MB)


def disk():
    for name in sorted(os.listdir("/sys/block")):
        with open(f"/sys/block/{name}/size") as size, open(f"/sys/block/{name}/dev") as number:
            if int(size.read()) > 0:
                return number.read().strip()
    pytest.skip("this host has no block device")


@every_mode
def test_block_io_rates_and_their_return(made, view):
    """A refused update gives a device that had no limit none again, and one that had it its own."""
    controller = by_version(view, "blkio", "io")
    device = disk()
    major, minor = map(int, device.split(":"))

    def rate(value):
        return [{"major": major, "minor": minor, "rate": value}]

    box = made(controller, resources(blockIO={"throttleReadBpsDevice": rate(1 << 20)}))
    file, second = by_version(view, ("blkio.throttle.read_bps_device", "blkio.throttle.write_iops_device"),
                              ("io.max", "io.max"))
    before = box.read(controller, file), box.read(controller, second)
    gone = [{"major": 4000, "minor": 9, "rate": 5}]
    error = box.update(blockIO={"throttleReadBpsDevice": rate(2 << 20), "throttleWriteIOPSDevice": rate(100) + gone})
    assert "no block device" in error.error
    assert (box.read(controller, file), box.read(controller, second)) == before
    box.must_update(blockIO={"throttleReadBpsDevice": rate(2 << 20), "throttleWriteIOPSDevice": rate(100)})
    assert str(2 << 20) in box.read(controller, file) and "100" in box.read(controller, second)


def snapshot(box):
    """What every file of the container's cgroups says that is a limit."""
    ends = (".max", "limit_in_bytes", "_us", "shares", "weight", "idle", ".cpus", ".mems", ".burst", ".low", "_device",
            "devices.list")
    texts = {}
    if box.view.unified:
        texts["device programs"] = bpf.attached(box.view.cgroup_of(box.container.pid, ""))
    for directory in set(box.view.cgroups_of(box.container.pid).values()):
        for name in os.listdir(directory):
            if name.endswith(ends):
                with open(os.path.join(directory, name)) as file:
                    texts[os.path.join(directory, name)] = file.read()
    assert texts
    if box.view.systemd:
        properties = ("MemoryMax", "MemoryLow", "MemorySwapMax", "CPUWeight", "CPUQuotaPerSecUSec", "CPUQuotaPeriodUSec",
                      "TasksMax", "IOWeight")
        unit = scope_of(box.container.bundle.config["linux"]["cgroupsPath"])
        texts.update(zip(properties, show(unit, *properties)))
    return texts


@every_mode
@pytest.mark.parametrize("late", ["a rate", "device rules"])
def test_all_or_nothing(made, view, late):
    """One of the last of many is refused: every file holds what it held, and every property of a unit."""
    box = made("memory", resources(
        pids={"limit": 50}, memory={"limit": 64 * MB, "reservation": 32 * MB, "swap": 96 * MB},
        cpu={"quota": 50000, "period": 100000, "shares": 700, "burst": 5000},
        devices=[{"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 10, "minor": 229,
                                                     "access": "rw"}]))
    refused = {"blockIO": {"throttleReadBpsDevice": [{"major": 4000, "minor": 9, "rate": 1}]}}
    if late == "device rules":
        if not view.unified:
            pytest.skip("the kernel takes all rules of cgroup v1")
        bpf.fill(view.cgroup_of(box.container.pid, ""))
        refused = {"devices": [{"allow": True, "type": "c", "major": 10, "minor": 200, "access": "rw"}]}
    before = snapshot(box)
    error = box.update(
        pids={"limit": 60}, memory={"limit": 128 * MB, "reservation": 16 * MB, "swap": 256 * MB},
        cpu={"quota": 20000, "period": 50000, "idle": 1, "burst": 1000}, **refused).error
    assert ("BPF_PROG_ATTACH" if late == "device rules" else "/linux/resources/blockIO/throttleReadBpsDevice") in error
    assert snapshot(box) == before


@every_mode
@pytest.mark.parametrize("refused", ["device rules", "systemd"])
def test_what_fails_without_a_change_comes_first(made, view, refused):
    """A memory limit below what is in use kills, which nothing takes back."""
    if not view.unified:
        pytest.skip("cgroup v1 refuses such a limit")
    if refused == "systemd" and not view.systemd:
        pytest.skip("this view has no systemd")
    box = made("memory", resources(memory={"limit": 64 * MB}))
    box.container.must("start")
    document, environment = {"memory": {"limit": 4096}}, {**os.environ}
    if refused == "systemd":
        environment["DBUS_SYSTEM_BUS_ADDRESS"] = "unix:path=/nonexistent"
    else:
        document["devices"] = [{"allow": number % 2 == 0, "type": "c", "major": number, "minor": number, "access": "r"}
                               for number in range(6000)]
    error = box.container.runtime("update", "--resources=-", box.container.id, input=json.dumps(document),
                                  env=environment).error
    assert ("/nonexistent" if refused == "systemd" else "/linux/resources/devices") in error
    time.sleep(0.3)
    assert box.container.status == "running" and box.read("memory", "memory.max") == str(64 * MB)


@both_views
def test_a_value_that_cannot_be_is_refused_before_anything(made, view):
    box = made("pids", resources(pids={"limit": 50}))
    for document in ({"cpu": {"quota": 1}}, {"memory": {"limit": -2}}, {"cpu": {"cpus": "x"}}, {"memory": []}):
        error = box.update(pids={"limit": 60}, **document).error
        assert "/linux/resources/" + next(iter(document)) in error
        assert box.read("pids", "pids.max") == "50"


@every_mode
def test_check_before_update(made, view):
    box = made("memory", resources(memory={"limit": 64 * MB}))
    file = by_version(view, "memory.limit_in_bytes", "memory.max")
    # One page: what is in use right after create is less a moment later.
    result = box.update(memory={"limit": 4096, "checkBeforeUpdate": True})
    if view.unified:
        assert "checkBeforeUpdate" in result.error
    # The kernel of v1 refuses it by itself, but for what it can take away, which may be all.
    assert box.read("memory", file) == str(4096 if result.ok else 64 * MB)
    assert box.container.status == "created"


@every_mode
@pytest.mark.skipif(not has_capability(27), reason="this machine has no CAP_MKNOD: no device can be made")
def test_device_rules(container, bundle):
    """Replaced while the container runs; what it may use in both stays usable all the time."""
    if not os.path.exists("/dev/net/tun") or not os.path.exists("/dev/loop-control"):
        pytest.skip("the host has not the devices tun and loop-control")

    def rules(*minors):
        return [{"allow": False, "access": "rwm"}] + [
            {"allow": True, "type": "c", "major": 10, "minor": minor, "access": "rwm"} for minor in minors]

    made = bundle(args=["/bin/sh", "-c", "mknod /t c 10 200; mknod /l c 10 237; while [ ! -e /end ]; do "
                        "sleep 0.02; (: </dev/null) || exit 9; (: </t) 2>/dev/null && echo tun; "
                        "(: </l) 2>/dev/null && echo loop; done; exit 0"],
                  change=lambda config: (config["linux"]["resources"].update(devices=rules(200)),
                                         config["process"]["capabilities"].update(
                                             {name: ["CAP_MKNOD"]
                                              for name in ("bounding", "effective", "permitted")})))
    made.busybox("/bin/busybox", "mknod", "sleep", "echo")
    output = made.file("output")
    with container(made) as box, open(output, "r+b") as out:
        box.must("create", stdout=out)
        pid = box.pid
        box.must("start")
        wait_until(lambda: "tun" in open(output).read(), what="the allowed device")
        assert "loop" not in open(output).read()
        assert box.runtime("update", "--resources=-", box.id, input=json.dumps({"devices": rules(237)})).ok
        wait_until(lambda: "loop" in open(output).read(), what="the device that is allowed now")
        size = os.path.getsize(output)
        wait_until(lambda: os.path.getsize(output) > size + 20, what="more of it")
        with open(output) as file:
            file.seek(size + 5)
            assert "tun" not in file.read()
        # Without rules in the document they stay.
        assert box.runtime("update", "--resources=-", box.id, input=json.dumps({"devices": [], "cpu": {}})).ok
        size = os.path.getsize(output)
        wait_until(lambda: os.path.getsize(output) > size + 20, what="still more of it")
        open(os.path.join(made.rootfs, "end"), "w").close()
        assert exit_status(pid) == 0


@both_views
def test_update_needs_a_living_container(container, bundle, runtime):
    assert "does not exist" in runtime("update", "--pids-limit", "5", "nobody").error
    with container(bundle("exit", 0)) as box:
        assert box.runtime("run", "--keep", "-b", box.bundle.path, box.id).ok
        assert "not running" in box.runtime("update", "--pids-limit", "5", box.id).error


@both_views
@pytest.mark.parametrize("options, word", [
    (("--memory", "12x"), "--memory"), (("--memory", "-2"), "--memory"), (("--cpu-period", "-1"), "--cpu-period"),
    (("--l3-cache-schema", "L3:0=f"), "resctrl"), (("--mem-bw-schema", "MB:0=50"), "resctrl"),
    (("--mem-bw-schema", "50"), "memBwSchema"), (("--resources", "/nonexistent"), "/nonexistent")])
def test_options_that_cannot_be(made, view, options, word):
    box = made(sorted(view.controllers)[0])
    assert word in box.update(*options).error


@both_views
def test_kernel_memory_is_accepted_with_a_warning(made, view):
    box = made(sorted(view.controllers)[0])
    result = box.update("--kernel-memory", "50m", "--kernel-memory-tcp", "50m")
    assert result.ok and "kernel memory" in result.stderr


@every_mode
def test_update_of_a_paused_container(made, view):
    box = made("pids", resources(pids={"limit": 50}))
    box.container.must("start")
    box.container.must("pause")
    box.must_update("--pids-limit", "40")
    assert box.read("pids", "pids.max") == "40" and box.container.status == "paused"
