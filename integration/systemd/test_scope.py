"""--cgroup-manager systemd: a transient scope, its limits as properties of the unit and in the kernel's files, and nothing
left of it. Needs systemd as init (integration/vm), but for what a host without it is told."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import time

import pytest

from harness import bpf
from harness.host import cgroups_below, has_systemd, reap_children
from harness.runtime import Container, wait_until
from harness.unit import scope_of, show, units

HAS_SYSTEMD = has_systemd()
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
        box.unit = scope_of(made.config["linux"]["cgroupsPath"])
        return box
    return make


@pytest.fixture(autouse=True)
def no_unit_left(token):
    """A unit whose create was killed may end by itself only a moment later."""
    yield
    if HAS_SYSTEMD:
        wait_until(lambda: not units(f"*{token}*"), 20, f"the end of {units(f'*{token}*')}")


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
    with scope(path=f"{token}-b.slice:engine:{token}") as box:  # the fixture no_unit_left looks for these slices
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


@needs_systemd
def test_a_slice_goes_with_the_last_container_in_it(scope, token):
    slice = f"{token}-x-y.slice"
    with scope(path=f"{slice}:first:{token}") as first, scope(path=f"{slice}:second:{token}") as second:
        first.must("create")
        second.must("create")
        subprocess.run(["systemctl", "daemon-reload"], check=True)
        first.must("delete", "--force")
        time.sleep(0.3)
        assert second.status == "created" and show(slice, "ActiveState") == ["active"]
        second.must("delete", "--force")
        assert units(f"{token}*.slice") == [] and not os.path.exists(f"/sys/fs/cgroup/{token}.slice")


@needs_systemd
@pytest.mark.parametrize("who", ["started", "described", "in use"])
def test_a_slice_of_others_stays(scope, token, who):
    """One that somebody has started, has written a unit file for, or runs something in."""
    slice, file = f"{token}-b.slice", f"/run/systemd/system/{token}-b.slice"
    other = f"{token}-other.service"
    try:
        if who == "described":
            with open(file, "w") as opened:
                opened.write("[Slice]\nMemoryMax=1G\n")
        elif who == "started":
            subprocess.run(["systemctl", "start", slice], check=True)
        with scope(path=f"{slice}:engine:{token}") as box:
            box.must("create")
            if who == "in use":
                subprocess.run(["systemd-run", "--quiet", f"--slice={slice}", f"--unit={other}", "sleep", "1000"], check=True)
        time.sleep(0.3)
        assert show(slice, "ActiveState") == ["active"] and os.path.exists(f"/sys/fs/cgroup/{token}.slice/{slice}")
        if who == "in use":
            assert show(other, "ActiveState") == ["active"]
    finally:
        for unit in (other, slice, f"{token}.slice"):
            subprocess.run(["systemctl", "--quiet", "stop", unit], stderr=subprocess.DEVNULL)
        if who == "described":
            os.unlink(file)


@needs_systemd
def test_a_slice_that_was_described_meanwhile_stays(scope, token):
    slice, file = f"{token}.slice", f"/run/systemd/system/{token}.slice"
    try:
        with scope(path=f"{slice}:engine:{token}") as box:
            box.must("create")
            with open(file, "w") as opened:
                opened.write("[Slice]\nMemoryMax=1G\n")
            subprocess.run(["systemctl", "daemon-reload"], check=True)
        assert show(slice, "ActiveState") == ["active"] and os.path.exists(f"/sys/fs/cgroup/{slice}")
    finally:
        subprocess.run(["systemctl", "stop", slice], stderr=subprocess.DEVNULL)
        os.unlink(file)
        subprocess.run(["systemctl", "daemon-reload"], check=True)


@needs_systemd
def test_a_slice_is_not_stopped_while_somebody_starts_a_unit(scope, token):
    """What a `create` beside the last `delete` has locked is waited for. Who locks it for good stops nobody."""
    slice = f"{token}.slice"
    lock = os.open("/sys/fs/cgroup", os.O_RDONLY)
    try:
        with scope(path=f"{slice}:engine:{token}") as box:
            box.must("create")
            fcntl.flock(lock, fcntl.LOCK_SH)
            deleting = box.runtime.popen("delete", "--force", box.id)
            wait_until(lambda: show(box.unit, "LoadState") == ["not-found"], what="the end of the unit")
            time.sleep(1)
            assert deleting.poll() is None and show(slice, "ActiveState") == ["active"]
            fcntl.flock(lock, fcntl.LOCK_UN)
            assert deleting.wait(20) == 0
            assert show(slice, "ActiveState") == ["inactive"] and not os.path.exists(f"/sys/fs/cgroup/{slice}")
        with scope(path=f"{slice}:engine:{token}-2") as box:
            fcntl.flock(lock, fcntl.LOCK_EX)
            box.must("create")
            fcntl.flock(lock, fcntl.LOCK_UN)
    finally:
        os.close(lock)


@needs_systemd
def test_a_slice_of_systemd_s_stays_where_cgroupfs_made_its_cgroup(container, bundle, token):
    slice = f"{token}.slice"
    try:
        with container(bundle("sleep", change=lambda config: config["linux"].update(cgroupsPath=f"/{slice}/c"))) as box:
            box.must("create")
            subprocess.run(["systemctl", "start", slice], check=True)
            box.must("delete", "--force")
        assert show(slice, "ActiveState") == ["active"] and os.path.exists(f"/sys/fs/cgroup/{slice}")
    finally:
        subprocess.run(["systemctl", "stop", slice], check=True)


@needs_systemd
def test_run_gives_the_status_and_leaves_nothing(scope):
    with scope("exit", 7, path="") as box:
        assert box.run().status == 7



def check_limits(box, properties, kernel):
    assert dict(zip(properties, show(box.unit, *properties))) == properties
    assert dict(zip(kernel, files(box, *kernel))) == kernel


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
def test_systemd_is_told_that_a_unit_is_idle_no_more(scope):
    with scope(resources={"cpu": {"idle": 1}}) as box:
        box.must("create")
        assert box.runtime("update", "--cpu-idle", 0, box.id).ok
        subprocess.run(["systemctl", "daemon-reload"], check=True)
        assert box.runtime("update", "--cpu-quota", 50_000, box.id).ok
        check_limits(box, {"CPUWeight": "100"}, {"cpu.idle": "0", "cpu.weight": "100"})


@needs_systemd
def test_what_no_property_holds_outlasts_an_update(scope):
    """systemd writes memory.oom.group with the other limits of memory."""
    with scope(resources={"unified": {"memory.oom.group": "1"}}) as box:
        box.must("create")
        assert box.runtime("update", "--memory", 64 * MIB, box.id).ok
        check_limits(box, {"MemoryMax": str(64 * MIB)}, {"memory.oom.group": "1", "memory.max": str(64 * MIB)})


@needs_systemd
def test_device_rules_hold_through_a_reload(scope):
    rules = [{"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 10, "minor": 200, "access": "rw"}]
    with scope(resources={"devices": rules}) as box:
        box.must("create")
        program = bpf.attached("/sys/fs/cgroup" + cgroup(box.pid))
        assert program
        subprocess.run(["systemctl", "daemon-reload"], check=True)
        subprocess.run(["systemctl", "set-property", "--runtime", box.unit, "TasksMax=50"], check=True)
        assert bpf.attached("/sys/fs/cgroup" + cgroup(box.pid)) == program


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
def test_nothing_is_left_of_a_create_that_fails(scope, change, token):
    def alter(config):
        for name, value in change.items():
            config.setdefault(name, {}).update(value)

    with scope(change=alter, path=f"{token}-b.slice:engine:{token}") as box:
        assert not box.run().ok
        assert show(box.unit, "LoadState") == ["not-found"]


def killed_creates(make, steps=8):
    """Creates that are killed: after every eighth of the time that one takes here. `make` gives containers."""
    with make() as box:
        start = time.monotonic()
        box.must("create")
        duration = time.monotonic() - start
        box.must("delete", "--force")
    for step in range(1, steps + 1):
        with make() as box:
            process = box.runtime.popen("create", "--bundle", box.bundle.path, box.id)
            time.sleep(duration * step / steps)
            process.send_signal(signal.SIGKILL)
            process.wait()
            yield box


@needs_systemd
def test_delete_after_create_was_killed(scope, token):
    for box in killed_creates(lambda: scope(path=f"{token}-b.slice:engine:{token}")):
        box.must("delete", "--force")
        wait_until(lambda: not units(f"*{token}*"), 20, f"the end of {box.unit} and its slices")
        assert not os.path.exists(f"/sys/fs/cgroup/{token}.slice")
        reap_children()


@needs_systemd
def test_the_unit_of_another_outlives_a_create_that_was_killed(scope, token):
    with scope(path=f":same:{token}") as first:
        first.must("create")
        first.must("start")
        pid = first.pid
        start = time.monotonic()
        assert not first.create().ok
        duration = time.monotonic() - start
        for step in range(1, 9):
            with scope(path=f":same:{token}") as second:
                process = second.runtime.popen("create", "--bundle", second.bundle.path, second.id)
                time.sleep(duration * step / 8)
                process.send_signal(signal.SIGKILL)
                process.wait()
                second.must("delete", "--force")
            assert (first.status, first.pid) == ("running", pid) and show(first.unit, "ActiveState") == ["active"]


@needs_systemd
def test_the_intent_of_a_unit_is_no_claim_to_it(scope, token, state_root):
    """A create that was killed right before systemd would have refused it, or told what it started."""
    with scope(path=f":same:{token}") as first:
        first.must("create")
        with open(os.path.join(state_root, first.id, "intent")) as file:
            intent = json.load(file)
        assert len(intent["cgroup"]["unit"]["invocation"]) == 32
        intent["id"] = f"{token}-second"
        intent["cgroup"]["unit"]["invocation"] = ""
        os.mkdir(os.path.join(state_root, intent["id"]), 0o700)
        with open(os.path.join(state_root, intent["id"], "intent"), "w") as file:
            file.write(json.dumps(intent) + "\n")
        deleted = first.runtime("delete", "--force", intent["id"])
        assert deleted.ok, deleted
        assert first.status == "created" and show(first.unit, "ActiveState") == ["active"]


@needs_systemd
def test_the_name_of_a_unit_that_ended_is_free(scope, token):
    """Whatever is done to the container that had it first, the one that has it now lives on."""
    with scope("exit", 3, path=f":same:{token}") as first, scope(path=f":same:{token}") as second:
        assert first.run("--keep").status == 3
        second.must("create")
        second.must("start")
        pid = second.pid
        assert first.runtime("kill", "--all", first.id, "KILL").ok
        assert first.runtime("ps", "--format", "json", first.id).json == []
        first.must("delete")
        assert (second.status, second.pid) == ("running", pid) and show(second.unit, "ActiveState") == ["active"]


@needs_systemd
def test_systemd_that_starts_anew(scope, token):
    """daemon-reexec while containers come and go: each command works, or fails with one line and leaves nothing."""
    with scope(path=f"{token}-b.slice:engine:{token}") as box:
        box.must("create")
        anew = subprocess.Popen(["systemctl", "daemon-reexec"])
        for _ in range(3):
            with scope() as other:
                created = other.create(timeout=100)  # a reply that systemd has lost is waited for: 25 s, and 60 s for a job
                assert created.ok or created.error
                deleted = other.delete("--force", timeout=100)
                assert deleted.ok or deleted.error
        assert anew.wait(60) == 0
        assert box.runtime("update", "--memory", 64 * MIB, box.id).ok
        assert files(box, "memory.max") == [str(64 * MIB)]
        box.must("delete", "--force")


@needs_systemd
@pytest.mark.parametrize("collect", [{}, {"org.systemd.property.CollectMode": "'inactive'"}])
def test_a_failed_unit_is_forgotten(scope, collect):
    """Also where the configuration wants systemd to remember it until then."""
    annotations = {"org.systemd.property.RuntimeMaxSec": "4", "org.systemd.property.TimeoutStopSec": "0.5"} | collect
    with scope(annotations=annotations) as box:
        box.must("create")
        box.must("start")
        wait_until(lambda: box.status == "stopped", 60, "the end of the container")
        if collect:
            wait_until(lambda: show(box.unit, "ActiveState") == ["failed"], 60, "failure of the unit")
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


USER = 1000
AS_USER = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "env", f"XDG_RUNTIME_DIR=/run/user/{USER}")


class Rootless:
    """A bundle of a user's, with commands that she gives."""

    def __init__(self, binary, bundle, home, path, manager="systemd"):
        self.home = home
        self.made = bundle("sleep", change=lambda config: self.configure(config, path))
        self.unit = scope_of(path)
        # Without systemd's help a process moves only inside of what was delegated, so that is where the command is then.
        inside = ["systemd-run", "--user", "--scope", "--quiet"] if manager == "cgroupfs" else []
        self.command = [*AS_USER, *inside, binary, "--root", home, "--log", os.path.join(home, "log"),
                        "--cgroup-manager", manager]
        rootfs = self.made.rootfs
        for name in (home, self.made.path, rootfs, *(os.path.join(rootfs, entry) for entry in os.listdir(rootfs))):
            os.chown(name, USER, USER)

    @staticmethod
    def configure(config, path):
        mapping = [{"containerID": 0, "hostID": USER, "size": 1}]
        config["linux"].update(cgroupsPath=path, uidMappings=mapping, gidMappings=mapping,
                               resources={"memory": {"limit": 64 * MIB}, "pids": {"limit": 20}})
        config["linux"]["namespaces"].append({"type": "user"})
        for mount in config["mounts"]:
            mount["options"] = [option for option in mount["options"] if not option.startswith("gid=")]
        config["mounts"] = [mount for mount in config["mounts"] if mount["type"] not in ("sysfs", "mqueue")]

    def popen(self, *args, output=subprocess.DEVNULL):
        return subprocess.Popen([*self.command, *args], cwd=self.made.path, stdin=subprocess.DEVNULL, stdout=output,
                                stderr=output, text=True)

    def __call__(self, *args, output=subprocess.DEVNULL):
        process = self.popen(*args, output=output)
        written = process.communicate(timeout=60)[0]
        assert process.returncode == 0, open(os.path.join(self.home, "log")).read()
        return written

    def units(self, pattern):
        out = subprocess.run([*AS_USER, "systemctl", "--user", "list-units", "--all", "--plain", "--no-legend", pattern],
                             stdout=subprocess.PIPE, text=True, check=True).stdout
        return [line.split()[0] for line in out.splitlines()]


@pytest.fixture
def rootless(binary, bundle, directory, token):
    """rootless(path): see Rootless. At the end nothing is left of it, neither with the user's systemd nor of cgroups."""
    home = os.path.join(directory, "user")
    os.makedirs(home)
    made = []

    def make(path, **options):
        made.append(Rootless(binary, bundle, home, path, **options))
        return made[-1]
    yield make
    for box in made:
        wait_until(lambda: not box.units(f"*{token}*"), 20, "the end of the user's units")
    assert [path for path in cgroups_below("/sys/fs/cgroup/user.slice") if token in path] == []
    assert set(os.listdir(home)) <= {"log", "@seccomp"}
    shutil.rmtree(home)


@needs_systemd
def test_rootless_on_the_user_s_bus(rootless, token):
    """A user's own systemd makes the scope, and the slice around it, in what was delegated to it."""
    box = rootless(f"{token}.slice:{token}:mine")
    box("create", "one")
    pid = json.loads(box("state", "one", output=subprocess.PIPE))["pid"]
    assert cgroup(pid) == f"/user.slice/user-{USER}.slice/user@{USER}.service/{token}.slice/{box.unit}"
    assert show(box.unit, "MemoryMax", "TasksMax", command=(*AS_USER, "systemctl", "--user")) == [str(64 * MIB), "20"]
    box("update", "--pids-limit", "30", "one")
    assert show(box.unit, "TasksMax", command=(*AS_USER, "systemctl", "--user")) == ["30"]
    box("delete", "--force", "one")


@needs_systemd
def test_rootless_without_systemd_s_help(rootless, token):
    """cgroupfs in what systemd delegated to the user: controllers that are enabled above it, by others, are as good as any."""
    path = f"/user.slice/user-{USER}.slice/user@{USER}.service/{token}/one"
    box = rootless(path, manager="cgroupfs")
    box("create", "one")
    pid = json.loads(box("state", "one", output=subprocess.PIPE))["pid"]
    assert cgroup(pid) == path
    with open(f"/sys/fs/cgroup{path}/memory.max") as memory, open(f"/sys/fs/cgroup{path}/pids.max") as pids:
        assert (memory.read().strip(), pids.read().strip()) == (str(64 * MIB), "20")
    box("delete", "--force", "one")


@needs_systemd
def test_rootless_create_that_was_killed(rootless, token):
    box = rootless(f"{token}.slice:{token}:mine")
    start = time.monotonic()
    box("create", "one")
    duration = time.monotonic() - start
    box("delete", "--force", "one")
    for step in range(1, 9):
        process = box.popen("create", "one")
        time.sleep(duration * step / 8)
        process.send_signal(signal.SIGKILL)
        process.wait()
        box("delete", "--force", "one")
        wait_until(lambda: not box.units(f"*{token}*"), 20, f"the end of {box.unit} and its slice")
        reap_children()
