"""Where the container's cgroup is and what is left of it."""

import errno
import fcntl
import json
import os
import signal
import subprocess

import pytest

from harness.marks import every_hierarchy
from harness.runtime import exit_status

pytestmark = every_hierarchy


def cgroups_path(path):
    def change(config):
        if path is None:
            del config["linux"]["cgroupsPath"]
        else:
            config["linux"]["cgroupsPath"] = path
    return change


def own_cgroups(view, pid, token):
    """Those of the container among the cgroups of a process."""
    return {name: path for name, path in view.cgroups_of(pid).items() if token in path}


def test_the_container_is_in_a_cgroup_of_its_own(container, bundle, view, token):
    made = bundle("sleep")
    with container(made) as box:
        box.must("create")
        found = own_cgroups(view, box.pid, token)
        assert found
        if view.unified:
            assert set(found) == {""}
        else:
            assert {"memory", "pids", "cpu", "devices", "freezer"} & set(view.mounts) <= set(found)
        for path in found.values():
            assert os.path.basename(path) == made.config["linux"]["cgroupsPath"].lstrip("/")
            with open(path + "/cgroup.procs") as file:
                assert str(box.pid) in file.read().split()
        box.must("delete", "--force")
        for path in found.values():
            assert not os.path.exists(path)


def test_parents_that_were_made_go_away(container, bundle, view, token):
    with container(bundle("sleep", change=cgroups_path(f"/{token}-parent/inner/leaf"))) as box:
        box.must("create")
        found = own_cgroups(view, box.pid, token)
        assert all(path.endswith(f"{token}-parent/inner/leaf") for path in found.values())


def test_parents_of_others_stay(container, bundle, view, token):
    parent = os.path.join(view.mounts["" if view.unified else "pids"], f"{token}-mine")
    os.mkdir(parent)
    try:
        with container(bundle("exit", 0, change=cgroups_path(f"/{token}-mine/leaf"))) as box:
            box.must("run")
        assert os.path.isdir(parent)
        assert [entry for entry in os.scandir(parent) if entry.is_dir()] == []
    finally:
        os.rmdir(parent)


@pytest.mark.parametrize("path", [None, "relative-it", "it/deeper"])
def test_relative_paths_and_none(container, bundle, view, token, path):
    wanted = None if path is None else f"{path}-{token}"
    made = bundle("sleep", change=cgroups_path(wanted))
    with container(made) as box:
        box.must("create")
        found = own_cgroups(view, box.pid, token)
        assert found
        for directory in found.values():
            assert os.path.basename(directory) == (box.id if path is None else os.path.basename(wanted))


@pytest.mark.parametrize("path", ["/../up", "/a/../../b", "..", "a/../b"])
def test_path_with_dots_is_refused(run, path):
    """GHSA-5g49-rx9x-qfc6: nothing outside the cgroup may be reached by its name."""
    error = run("exit", 0, change=cgroups_path(path)).error
    assert "/linux/cgroupsPath" in error


def test_the_mount_shows_the_container_alone(report, view, token):
    def change(config):
        config["linux"]["namespaces"].append({"type": "cgroup"})
        config["mounts"].append({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
                                 "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]})

    point = "/sys/fs/cgroup" if view.unified else "/sys/fs/cgroup/pids"
    seen = report("--read", point + "/cgroup.procs", "--try", f"mkdir:{point}/child", "--list", "/sys/fs/cgroup",
                  change=change)
    assert seen.mount(point)["fstype"] == ("cgroup2" if view.unified else "cgroup")
    assert "1" in seen.file(point + "/cgroup.procs").split()
    assert seen.tries[f"mkdir:{point}/child"] == 30
    assert {"ro", "nosuid", "nodev", "noexec"} <= seen.mount(point)["options"]
    if not view.unified:
        assert {"memory", "cpu", "pids", "devices", "freezer"} <= set(seen.lists["/sys/fs/cgroup"])


def test_the_mount_without_a_cgroup_namespace(report, view):
    def change(config):
        config["mounts"].append({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
                                 "options": ["nosuid", "noexec", "nodev", "ro"]})

    point = "/sys/fs/cgroup" if view.unified else "/sys/fs/cgroup/pids"
    seen = report("--read", point + "/cgroup.procs", "--try", f"mkdir:{point}/child", change=change)
    assert seen.file(point + "/cgroup.procs").split()
    assert seen.tries[f"mkdir:{point}/child"] == 30


def test_a_cgroup_with_processes_is_refused(container, bundle):
    """Two containers in one cgroup would freeze and kill each other."""
    with container(bundle("sleep")) as first:
        first.must("create")
        path = first.bundle.config["linux"]["cgroupsPath"]
        with container(bundle("sleep", change=cgroups_path(path))) as second:
            error = second.create().error
            assert path.lstrip("/") in error
        assert first.status == "created"
        first.must("start")
        assert first.status == "running"


@pytest.mark.parametrize("made_by", ["berth", "others"])
def test_the_name_of_a_cgroup_that_ended_is_free(container, bundle, view, token, made_by):
    """Whatever is done to the container that had it first, the one that has it now lives on."""
    path = f"/{token}-same"
    if made_by == "others":
        for mount in view.mounts.values():
            os.makedirs(mount + path, exist_ok=True)
    first = container(bundle("exit", 3, change=cgroups_path(path)))
    second = container(bundle("sleep", change=cgroups_path(path)))
    with first, second:
        assert first.run("--keep").status == 3
        second.must("create")
        second.must("start")
        pid = second.pid
        assert first.runtime("kill", "--all", first.id, "KILL").ok
        assert first.runtime("ps", "--format", "json", first.id).json == []
        first.must("delete")
        assert (second.status, second.pid) == ("running", pid)
        assert second.runtime("ps", "--format", "json", second.id).json == [pid]
        found = own_cgroups(view, pid, token)
        second.must("delete", "--force")
        assert found and not any(map(os.path.exists, found.values()))


def test_no_cgroup_is_ours_after_a_boot(container, bundle, token, state_root):
    """The numbers of inodes begin again."""
    change = cgroups_path(f"/{token}-same")
    with container(bundle("exit", 3, change=change)) as first, container(bundle("sleep", change=change)) as second:
        assert first.run("--keep").status == 3
        second.must("create")
        records = [os.path.join(state_root, box.id, "record.json") for box in (first, second)]
        old, new = (json.load(open(record)) for record in records)
        old.update(bootId="another", cgroup=new["cgroup"])
        with open(records[0], "w") as file:
            file.write(json.dumps(old) + "\n")
        assert first.runtime("kill", "--all", first.id, "KILL").ok
        assert first.runtime("ps", "--format", "json", first.id).json == []
        first.must("delete")
        assert second.status == "created"


def test_what_is_left_of_a_container_limits_no_other(container, bundle, view, token):
    if "pids" not in view.controllers:
        pytest.skip("this view has no controller pids")
    path = f"/{token}-same"
    limited = {"pids": {"limit": 77}}
    with container(bundle("exit", 0, change=lambda config: (cgroups_path(path)(config),
                                                            config["linux"]["resources"].update(limited)))) as first:
        assert first.run("--keep").ok
        with container(bundle("sleep", change=cgroups_path(path))) as second:
            second.must("create")
            found = own_cgroups(view, second.pid, token)
            directory = found["" if view.unified else "pids"]
            with open(directory + "/pids.max") as file:
                assert file.read() == "max\n"


@pytest.mark.parametrize("command", ["create", "delete"])
def test_one_command_works_on_a_cgroup(container, bundle, view, token, state_root, command):
    """Whoever makes or removes it has its first directory locked."""
    path = f"/{token}-same"
    first = container(bundle("exit", 0, change=cgroups_path(path)))
    second = container(bundle("sleep", change=cgroups_path(path)))
    with first, second:
        assert first.run("--keep").ok
        with open(os.path.join(state_root, first.id, "record.json")) as file:
            hierarchy = json.load(file)["cgroup"]["directories"][0]["hierarchy"]
        directory = view.mounts.get(hierarchy, f"/sys/fs/cgroup/{hierarchy}") + path
        lock = os.open(directory, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if command == "create":
                assert "being set up for another container" in second.create().error
            else:
                first.must("delete")  # it is another's by now
            assert os.path.isdir(directory)
        finally:
            os.close(lock)
        if command == "delete":
            second.must("create")


def make_deep(top, depth):
    """Cgroups one in the other, whose path is longer than the kernel takes."""
    at = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("n" * 30, dir_fd=at)
        below = os.open("n" * 30, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    return at


def test_a_tree_whose_paths_are_too_long(container, bundle, view, token):
    """A container that may make cgroups can make it, and a process in the last."""
    with container(bundle("sleep")) as box:
        box.must("create")
        box.must("start")
        found = set(own_cgroups(view, box.pid, token).values())
        child = subprocess.Popen(["sleep", "1000"])
        try:
            for directory in found:
                last = make_deep(directory, 140)
                try:
                    with open("cgroup.procs", "w", opener=lambda name, flags: os.open(name, flags, dir_fd=last)) as file:
                        file.write(str(child.pid))
                except OSError as error:
                    # cgroup v1: a new cpuset has no cpus, and the process is not needed in each hierarchy
                    assert error.errno == errno.ENOSPC
                finally:
                    os.close(last)
            assert sorted(box.runtime("ps", "--format", "json", box.id).json) == sorted([box.pid, child.pid])
            box.must("pause")
            box.must("delete", "--force")
            assert child.wait(5) == -signal.SIGKILL
        finally:
            child.kill()
            child.wait()
            for directory in found:  # without its paths too, if the runtime did not
                subprocess.run(["find", directory, "-depth", "-type", "d", "-delete"], stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("which", ["parent", "it"])
def test_a_frozen_cgroup_is_refused(container, bundle, view, token, which):
    """Nothing could run in it: `create` would wait for ever."""
    name = "freezer" if "freezer" in view.mounts else ""
    parent = os.path.join(view.mounts[name], f"{token}-cold")
    frozen = parent if which == "parent" else parent + "/leaf"
    os.makedirs(frozen)
    file, values = ("freezer.state", ("FROZEN", "THAWED")) if name else ("cgroup.freeze", "10")
    try:
        with open(os.path.join(frozen, file), "w") as opened:
            opened.write(values[0])
        with container(bundle("sleep", change=cgroups_path(f"/{token}-cold/leaf"))) as box:
            error = box.create(timeout=10).error
            assert f"/{token}-cold{'/leaf' if which == 'it' else ''} is frozen: nothing could run in" in error
            if which == "it":
                os.rmdir(frozen)
            assert os.listdir(parent) and not any(entry.is_dir() for entry in os.scandir(parent))
    finally:
        with open(os.path.join(parent, file), "w") as opened:
            opened.write(values[1])
        os.rmdir(parent)


def test_processes_of_the_program_are_in_the_cgroup(container, bundle, view):
    from harness.runtime import wait_until
    with container(bundle("children", 2)) as box:
        box.must("create")
        pid = box.pid
        box.must("start")
        wait_until(lambda: len(open(view.cgroup_of(pid, "pids") + "/cgroup.procs").read().split()) == 3,
                   what="3 processes in the cgroup")
        box.must("kill", "KILL")
        exit_status(pid)


@pytest.mark.parametrize("user, mapped, namespace, options, owner", [
    (7, False, True, [], 7), (0, True, True, [], 100000), (7, True, True, ["rw"], 100007),
    (7, False, True, ["ro"], 0), (7, False, False, [], 0)])
def test_the_containers_user_owns_the_cgroup(container, bundle, view, user, mapped, namespace, options, owner):
    """config-linux.md, "Cgroup ownership": what /sys/kernel/cgroup/delegate names, and nothing that limits."""
    def change(config):
        config["process"]["user"]["uid"] = user
        config["linux"]["namespaces"] += [{"type": "cgroup"}] * namespace + [{"type": "user"}] * mapped
        if mapped:
            config["linux"]["uidMappings"] = config["linux"]["gidMappings"] = [
                {"containerID": 0, "hostID": 100000, "size": 1000}]
        config["mounts"].append({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
                                 "options": options})

    with open("/sys/kernel/cgroup/delegate") as file:
        delegated = set(file.read().split())
    with container(bundle("sleep", change=change)) as box:
        box.must("create")
        for directory in set(view.cgroups_of(box.pid).values()):
            wanted = owner if view.unified else 0  # v1 cannot be delegated
            assert os.stat(directory).st_uid == wanted
            for name in os.listdir(directory):
                assert os.stat(f"{directory}/{name}").st_uid == (wanted if name in delegated else 0), name


def delegated(config):
    config["annotations"] = {"run.oci.delegate-cgroup": "inside"}
    config["linux"]["namespaces"].append({"type": "cgroup"})


def test_delegated_cgroup_inside_the_limited_one(bundle, container, view):
    """The container's process is in it, and sees its parent, which has the limits, as the root."""
    if not view.unified:
        pytest.skip("v1 cannot be delegated: test_v1_is_not_delegated")
    with container(bundle("report", "--read", "/proc/self/cgroup", change=delegated)) as box:
        assert box.run().report.file("/proc/self/cgroup").splitlines()[-1] == "0::/inside"
    with container(bundle("sleep", change=delegated)) as box:
        box.must("create")
        directory = view.cgroup_of(box.pid, "")
        assert directory.endswith(box.bundle.config["linux"]["cgroupsPath"] + "/inside")
        box.must("start")
        box.must("pause")
        assert box.status == "paused"
        box.must("resume")
        box.must("kill", "KILL")
        box.must("delete", "--force")
        assert not os.path.exists(os.path.dirname(directory))


def test_v1_is_not_delegated(run, view):
    if view.unified:
        pytest.skip("cgroup2 can be")
    assert "/annotations/run.oci.delegate-cgroup" in run("exit", 0, change=delegated).error


def test_a_delegated_cgroup_has_one_name(run):
    change = lambda config: config.update(annotations={"run.oci.delegate-cgroup": "../other"})
    assert '/annotations/run.oci.delegate-cgroup: got "../other"' in run("exit", 0, change=change).error


def test_the_owner_makes_cgroups_below(report, view):
    if not view.unified:
        pytest.skip("v1 cannot be delegated")

    def change(config):
        config["process"]["user"]["uid"] = 7
        config["process"]["capabilities"] = {}
        config["linux"]["namespaces"].append({"type": "cgroup"})
        config["mounts"].append({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"})

    seen = report("--try", "mkdir:/sys/fs/cgroup/child", "--try", "write:/sys/fs/cgroup/cgroup.max.depth",
                  "--try", "write:/sys/fs/cgroup/cgroup.procs", change=change)
    assert seen.tries["mkdir:/sys/fs/cgroup/child"] == 0
    assert seen.tries["write:/sys/fs/cgroup/cgroup.procs"] == 0
    assert seen.tries["write:/sys/fs/cgroup/cgroup.max.depth"] == errno.EACCES
