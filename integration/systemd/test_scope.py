"""--cgroup-manager systemd: a transient scope, its limits as properties of the unit and in the kernel's files, and nothing
left of it. Needs systemd as init (integration/vm), but for what a host without it is told."""

import os
import signal
import subprocess
import time

import pytest

from harness.host import reap_children
from harness.runtime import Container, wait_until

HAS_SYSTEMD = os.path.isdir("/run/systemd/system")
needs_systemd = pytest.mark.skipif(not HAS_SYSTEMD, reason="this host has no systemd as init (integration/vm has)")
MIB = 1 << 20


@pytest.fixture
def systemd(runtime):
    return runtime.with_args("--systemd-cgroup")


@pytest.fixture
def scope(systemd, bundle):
    """scope(probe arguments..., path=, resources=, annotations=): a container with its unit's name in `unit`."""
    def make(*args, path=None, resources=None, annotations=None, change=None):
        def alter(config):
            config["linux"]["cgroupsPath"] = path if path is not None else f":{bundle.token}:{bundle.count}"
            config["linux"]["resources"].update(resources or {})
            config["annotations"] = annotations or {}
            if change:
                change(config)

        made = bundle(*(args or ("sleep",)), change=alter)
        box = Container(systemd, made, bundle.new_id())
        box.unit = "-".join(made.config["linux"]["cgroupsPath"].split(":")[1:]) + ".scope"
        return box
    return make


@pytest.fixture(autouse=True)
def no_unit_left(token):
    yield
    if HAS_SYSTEMD:
        def units():
            return subprocess.run(["systemctl", "list-units", "--all", "--plain", "--no-legend", f"*{token}*.scope"],
                                  stdout=subprocess.PIPE, text=True, check=True).stdout
        assert units() == ""


def show(unit, *names, command=("systemctl",)):
    """The unit's properties as `systemctl show` prints them."""
    out = subprocess.run([*command, "show", unit, *("-p" + name for name in names)], stdout=subprocess.PIPE, text=True,
                         check=True).stdout
    found = dict(line.split("=", 1) for line in out.splitlines())
    return [found[name] for name in names]


def cgroup(pid):
    with open(f"/proc/{pid}/cgroup") as file:
        return next(line.strip().split("::", 1)[1] for line in file if line.startswith("0::"))


def files(box, *names):
    directory = "/sys/fs/cgroup" + cgroup(box.pid)
    return [open(os.path.join(directory, name)).read().strip() for name in names]


@pytest.mark.skipif(HAS_SYSTEMD, reason="this host has systemd")
def test_a_host_without_systemd_says_so(scope):
    with scope() as box:
        error = box.create().error
        assert "/run/dbus/system_bus_socket" in error and "--cgroup-manager cgroupfs" in error


@pytest.mark.parametrize("path, expected", [("/a/path", "slice:prefix:name"), ("a:b", "slice:prefix:name"),
                                            ("a--b.slice:p:n", "machine.slice"), ("x:p:n", "machine.slice"),
                                            ("::../n.slice", "a scope")])
def test_paths_that_name_no_unit(scope, path, expected):
    with scope(path=path) as box:
        error = box.create().error
        assert "/linux/cgroupsPath" in error and expected in error


@pytest.mark.parametrize("name, text", [("TasksMax", "'"), ("X", "1"), ("TimeoutStopSec", "'soon'")])
def test_annotations_that_are_no_property(scope, name, text):
    with scope(annotations={f"org.systemd.property.{name}": text}) as box:
        assert f"/annotations/org.systemd.property.{name}" in box.create().error


@needs_systemd
def test_scope_of_a_container(scope, token):
    with scope(path=f"{token}-b.slice:engine:{token}") as box:
        box.must("create")
        assert cgroup(box.pid) == f"/{token}.slice/{token}-b.slice/engine-{token}.scope"
        assert show(box.unit, "ActiveState", "Slice", "Delegate", "Description", "Transient") == [
            "active", f"{token}-b.slice", "yes", f"berth container {box.id}", "yes"]
        # The process that held the scope until the container's was there is gone.
        assert files(box, "cgroup.procs") == [str(box.pid)]
        box.must("start")
        assert box.runtime("ps", "--format", "json", box.id).json == [box.pid]
        box.must("pause")
        assert files(box, "cgroup.freeze") == ["1"]
        box.must("resume")
        box.must("kill", "KILL", "--all")
        box.wait_status("stopped")
        box.must("delete")
    assert show(box.unit, "LoadState") == ["not-found"]
    # systemd keeps the slice that it made for the scope. Nobody may stop it but who chose its name: stopping a slice
    # ends what somebody else starts in it at that moment.
    subprocess.run(["systemctl", "stop", f"{token}.slice"], check=True)


@needs_systemd
def test_run_gives_the_status_and_leaves_nothing(scope):
    with scope("exit", 7, path="") as box:
        assert box.run().status == 7



LIMITS = [
    # resources, properties of the unit, files of the cgroup
    ({"memory": {"limit": 64 * MIB, "reservation": 32 * MIB, "swap": 96 * MIB}},
     {"MemoryMax": str(64 * MIB), "MemoryLow": str(32 * MIB), "MemorySwapMax": str(32 * MIB)},
     {"memory.max": str(64 * MIB), "memory.low": str(32 * MIB), "memory.swap.max": str(32 * MIB)}),
    ({"memory": {"limit": -1}}, {"MemoryMax": "infinity"}, {"memory.max": "max"}),
    ({"cpu": {"shares": 1024, "quota": 20_000, "period": 50_000, "burst": 1000}},
     {"CPUWeight": "100", "CPUQuotaPerSecUSec": "400ms", "CPUQuotaPeriodUSec": "50ms"},
     {"cpu.weight": "100", "cpu.max": "20000 50000", "cpu.max.burst": "1000"}),
    # systemd keeps whole percents, the file has what was asked for.
    ({"cpu": {"quota": 20_100}}, {"CPUQuotaPerSecUSec": "210ms"}, {"cpu.max": "20100 100000"}),
    ({"cpu": {"cpus": "0-1", "mems": "0"}}, {"AllowedCPUs": "0-1", "AllowedMemoryNodes": "0"},
     {"cpuset.cpus": "0-1", "cpuset.mems": "0"}),
    ({"cpu": {"idle": 1}}, {"CPUWeight": "idle"}, {"cpu.idle": "1"}),
    ({"pids": {"limit": 20}}, {"TasksMax": "20"}, {"pids.max": "20"}),
    ({"pids": {"limit": 1}}, {"TasksMax": "1"}, {"pids.max": "1"}),
    ({"blockIO": {"weight": 500}}, {"IOWeight": "4950"}, {}),
    ({"unified": {"memory.high": str(48 * MIB), "memory.min": "4096", "cpu.weight": "42", "pids.max": "max"}},
     {"MemoryHigh": str(48 * MIB), "MemoryMin": "4096", "CPUWeight": "42", "TasksMax": "infinity"},
     {"memory.high": str(48 * MIB), "memory.min": "4096", "cpu.weight": "42", "pids.max": "max"}),
    ({"hugepageLimits": [{"pageSize": "2MB", "limit": 2 * MIB}]}, {}, {"hugetlb.2MB.max": str(2 * MIB)}),
]


def check_limits(box, properties, kernel):
    assert dict(zip(properties, show(box.unit, *properties))) == properties
    assert dict(zip(kernel, files(box, *kernel))) == kernel


@needs_systemd
@pytest.mark.parametrize("resources, properties, kernel", LIMITS)
def test_limits(scope, resources, properties, kernel):
    with scope(resources=resources) as box:
        box.must("create")
        check_limits(box, properties, kernel)


@needs_systemd
def test_update(scope):
    with scope(resources={"memory": {"limit": 32 * MIB}, "pids": {"limit": 9}}) as box:
        box.must("create")
        updated = box.runtime("update", "--memory", 64 * MIB, "--cpu-quota", 20_100, "--cpu-share", 1024,
                              "--cpuset-cpus", 0, "--pids-limit", 30, box.id)
        assert updated.ok, updated
        properties = {"MemoryMax": str(64 * MIB), "CPUQuotaPerSecUSec": "210ms", "CPUWeight": "100",
                      "AllowedCPUs": "0", "TasksMax": "30"}
        kernel = {"memory.max": str(64 * MIB), "cpu.max": "20100 100000", "cpu.weight": "100", "cpuset.cpus": "0",
                  "pids.max": "30"}
        check_limits(box, properties, kernel)
        refused = box.runtime("update", "--memory", 16 * MIB, "--pids-limit", 5, "--cpuset-cpus", 4000, box.id)
        assert not refused.ok
        check_limits(box, properties, kernel)
        # What systemd writes when it looks at all its units again is what was asked for.
        subprocess.run(["systemctl", "daemon-reload"], check=True)
        del kernel["cpu.max"]  # in whole percents then
        check_limits(box, properties, kernel)


@needs_systemd
def test_device_rules_hold_through_a_reload(scope):
    rules = [{"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 10, "minor": 200, "access": "rw"}]
    with scope(resources={"devices": rules}) as box:
        box.must("create")
        program = attached(box)
        assert program
        subprocess.run(["systemctl", "daemon-reload"], check=True)
        subprocess.run(["systemctl", "set-property", "--runtime", box.unit, "TasksMax=50"], check=True)
        assert attached(box) == program


def attached(box):
    """Ids of the device programs of the cgroup (BPF_PROG_QUERY)."""
    import ctypes
    fd = os.open("/sys/fs/cgroup" + cgroup(box.pid), os.O_RDONLY)
    ids = (ctypes.c_uint32 * 16)()
    attributes = bytearray(64)
    attributes[0:16] = fd.to_bytes(4, "little") + (6).to_bytes(4, "little") + bytes(8)  # BPF_CGROUP_DEVICE
    attributes[16:24] = ctypes.addressof(ids).to_bytes(8, "little")
    attributes[24:28] = (16).to_bytes(4, "little")
    buffer = (ctypes.c_char * 64).from_buffer(attributes)
    result = ctypes.CDLL(None, use_errno=True).syscall(321, 16, buffer, 64)
    os.close(fd)
    assert result == 0, os.strerror(ctypes.get_errno())
    return list(ids[:int.from_bytes(buffer.raw[24:28], "little")])


@needs_systemd
def test_annotations(scope):
    annotations = {"org.systemd.property.TimeoutStopSec": "uint64 5", "org.systemd.property.CollectMode":
                   "'inactive-or-failed'", "org.systemd.property.Description": "\"mine\"",
                   "org.systemd.property.After": "['dbus.service']"}
    with scope(annotations=annotations) as box:
        box.must("create")
        stop, mode, description, after = show(box.unit, "TimeoutStopUSec", "CollectMode", "Description", "After")
        assert (stop, mode, description) == ("5s", "inactive-or-failed", "mine")
        assert "dbus.service" in after.split()


@needs_systemd
def test_a_property_that_systemd_does_not_know(scope):
    with scope(annotations={"org.systemd.property.NoSuchThing": "true"}) as box:
        error = box.create().error
        assert box.unit in error and "NoSuchThing" in error


@needs_systemd
def test_subgroup(scope):
    with scope(annotations={"run.oci.systemd.subgroup": "inside"},
               resources={"memory": {"limit": 64 * MIB}}) as box:
        box.must("create")
        assert cgroup(box.pid) == f"/system.slice/{box.unit}/inside"
        check_limits(box, {"MemoryMax": str(64 * MIB)}, {"memory.max": str(64 * MIB)})


@needs_systemd
def test_a_unit_that_is_in_use_stays(scope, token):
    with scope(path=f":same:{token}") as first, scope(path=f":same:{token}") as second:
        first.must("create")
        error = second.create().error
        assert first.unit in error and "choose another cgroupsPath" in error
        assert first.status == "created" and show(first.unit, "ActiveState") == ["active"]


@needs_systemd
@pytest.mark.parametrize("change", [
    {"linux": {"resources": {"cpu": {"cpus": "4000"}}}},
    {"hooks": {"createRuntime": [{"path": "/bin/false"}]}},
    {"process": {"args": ["/missing"]}}])
def test_nothing_is_left_of_a_create_that_fails(scope, change):
    def alter(config):
        for name, value in change.items():
            config.setdefault(name, {}).update(value)

    with scope(change=alter) as box:
        assert not box.run().ok
        assert show(box.unit, "LoadState") == ["not-found"]


@needs_systemd
def test_delete_after_create_was_killed(scope):
    """Whenever it is killed: every tenth of the time that a create takes here."""
    with scope() as box:
        start = time.monotonic()
        box.must("create")
        duration = time.monotonic() - start
        box.must("delete", "--force")
    for tenth in range(1, 11):
        with scope() as box:
            process = box.runtime.popen("create", "--bundle", box.bundle.path, box.id)
            time.sleep(duration * tenth / 10)
            process.send_signal(signal.SIGKILL)
            process.wait()
            box.must("delete", "--force")
            wait_until(lambda: show(box.unit, "LoadState") == ["not-found"], what=f"the end of {box.unit}")
            reap_children()


@needs_systemd
def test_a_failed_unit_is_forgotten(scope):
    annotations = {"org.systemd.property.RuntimeMaxSec": "6", "org.systemd.property.TimeoutStopSec": "0.5"}
    with scope(annotations=annotations) as box:
        box.must("create")
        box.must("start")
        wait_until(lambda: show(box.unit, "ActiveState") == ["failed"], 60, "failure of the unit")
        assert box.status == "stopped"
        box.must("delete")
        assert show(box.unit, "LoadState") == ["not-found"]


@needs_systemd
def test_a_unit_that_somebody_stopped(scope):
    with scope(annotations={"org.systemd.property.TimeoutStopSec": "1"}) as box:  # the program lets SIGTERM pass
        box.must("create")
        box.must("start")
        subprocess.run(["systemctl", "stop", box.unit], check=True)
        box.wait_status("stopped")
        box.must("delete")


@needs_systemd
def test_rootless_on_the_user_s_bus(binary, bundle, directory):
    """A user's own systemd makes the scope, in what was delegated to it."""
    user = 1000
    home = os.path.join(directory, "user")
    os.makedirs(home)

    def rootless(config):
        mapping = [{"containerID": 0, "hostID": user, "size": 1}]
        config["linux"].update(cgroupsPath=f":{bundle.token}:mine", uidMappings=mapping, gidMappings=mapping,
                               resources={"memory": {"limit": 64 * MIB}, "pids": {"limit": 20}})
        config["linux"]["namespaces"].append({"type": "user"})
        for mount in config["mounts"]:
            mount["options"] = [option for option in mount["options"] if not option.startswith("gid=")]
        config["mounts"] = [mount for mount in config["mounts"] if mount["type"] not in ("sysfs", "mqueue")]

    made = bundle("sleep", change=rootless)
    for path in (home, made.path, made.rootfs, *(os.path.join(made.rootfs, name) for name in os.listdir(made.rootfs))):
        os.chown(path, user, user)
    environment = {"XDG_RUNTIME_DIR": f"/run/user/{user}", "PATH": "/usr/bin:/bin"}

    def call(*args, output=subprocess.PIPE):
        return subprocess.run([binary, "--root", home, "--systemd-cgroup", *args], user=user, group=user,
                              extra_groups=[], env=environment, cwd=made.path, stdin=subprocess.DEVNULL,
                              stdout=output, stderr=output, text=True, timeout=30)

    log = os.path.join(home, "log")
    created = call("--log", log, "create", "one", output=subprocess.DEVNULL)
    assert created.returncode == 0, open(log).read()
    try:
        pid = int(call("state", "one").stdout.split('"pid": ')[1].split(",")[0])
        unit = f"{bundle.token}-mine.scope"
        assert cgroup(pid) == f"/user.slice/user-{user}.slice/user@{user}.service/user.slice/{unit}"
        systemctl = ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "env",
                     f"XDG_RUNTIME_DIR=/run/user/{user}", "systemctl", "--user")
        assert show(unit, "MemoryMax", "TasksMax", command=systemctl) == [str(64 * MIB), "20"]
    finally:
        deleted = call("delete", "--force", "one")
    assert deleted.returncode == 0, deleted
    assert show(unit, "LoadState", command=systemctl) == ["not-found"]
