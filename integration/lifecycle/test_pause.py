"""pause and resume, felt by the processes."""

import contextlib
import os
import subprocess
import time

import pytest

from harness.marks import both_views, in_v2
from harness.runtime import exit_status, wait_until


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


@both_views
def test_a_paused_container_does_nothing(container, bundle):
    with container(bundle("spin")) as box:
        box.must("create")
        pid = box.pid
        box.must("start")
        wait_until(lambda: cpu_ticks(pid) > 2, what="the program at work")
        box.must("pause")
        assert box.status == "paused"
        ticks = cpu_ticks(pid)
        time.sleep(0.15)
        assert cpu_ticks(pid) == ticks
        box.must("resume")
        assert box.status == "running"
        wait_until(lambda: cpu_ticks(pid) > ticks, what="the program at work again")
        box.must("delete", "--force")
        exit_status(pid)


@contextlib.contextmanager
def frozen_file_system(place):
    """Who writes to it waits in a way that no signal and no freezer ends."""
    subprocess.run(["fsfreeze", "--freeze", place], check=True)
    try:
        yield
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", place], check=True)


@pytest.fixture
def ext4(tmp_path):
    image, place = tmp_path / "image", tmp_path / "place"
    place.mkdir()
    subprocess.run(["mke2fs", "-q", "-t", "ext4", image, "8M"], check=True)
    mounted = subprocess.run(["mount", "-o", "loop", image, place], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"this host has no loop device or no ext4: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def is_stuck(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "D"
    except (FileNotFoundError, ProcessLookupError):  # one that exec had on the way
        return False


@in_v2
def test_pause_that_was_killed_half_way(container, bundle, view, ext4):
    """One process still runs, and the container is paused all the same: for `state`, for exec, and for `resume`."""
    def change(config):
        config["mounts"].append({"destination": "/ext4", "source": str(ext4), "options": ["bind"]})

    with container(bundle("sleep", change=change)) as box:
        box.must("create")
        box.must("start")
        with frozen_file_system(ext4):
            writer = box.runtime.popen("exec", box.id, "/probe", "report", "--try", "create:/ext4/file")
            wait_until(lambda: any(map(is_stuck, box.runtime("ps", "--format", "json", box.id).json)), what="the writer")
            pause = box.runtime.popen("pause", box.id)
            freeze = os.path.join(view.cgroup_of(box.pid, "freezer"), "cgroup.freeze")
            wait_until(lambda: open(freeze).read() == "1\n", what="the freezer")
            pause.kill()
            pause.wait()
            assert box.status == "paused"
            refused = box.exec("/probe", "exit", 0)
            assert refused.status == 255 and "paused" in refused.error
            assert box.must("resume").seconds < 1
            assert box.status == "running"
            assert box.exec("/probe", "exit", 7).status == 7
        assert writer.wait(5) == 0


@both_views
def test_frozen_from_above(container, bundle, view, token):
    """A container in a cgroup that somebody else freezes is paused too, by whatever command one asks."""
    made = bundle("sleep", change=lambda config: config["linux"].update(cgroupsPath=f"/{token}-slice/pod/box"))
    with container(made) as box:
        box.must("create")
        box.must("start")
        slice = view.cgroup_of(box.pid, "freezer").removesuffix("/pod/box")
        file, values = ("freezer.state", ("FROZEN", "THAWED")) if view.mounts.get("freezer") else ("cgroup.freeze", "10")
        for value, status in zip(values, ("paused", "running")):
            with open(os.path.join(slice, file), "w") as freezer:
                freezer.write(value)
            wait_until(lambda: box.status == status, what=status)
            assert [entry["status"] for entry in box.runtime("list", "-f", "json").json if entry["id"] == box.id] == [status]
            assert ("paused" in box.exec("/probe", "exit", 0).stderr) == (status == "paused")


def test_paused_before_it_is_started(container, bundle):
    """It takes no connection while it is frozen: nobody waits for one."""
    with container(bundle("sleep")) as box:
        box.must("create")
        box.must("pause")
        for _ in range(18):
            result = box.runtime("state", box.id)
            assert result.json["status"] == "paused" and result.seconds < 0.5
        assert box.must("resume").seconds < 0.5
        assert box.status == "created"


@both_views
def test_pause_holds_a_signal_back(container, bundle):
    made = bundle("trap", 15)
    output = made.file("output")
    with container(made) as box, open(output, "r+b") as out:
        box.must("create", stdout=out)
        pid = box.pid
        box.must("start")
        wait_until(lambda: open(output).read() == "ready\n", what="ready")
        box.must("pause")
        box.must("kill", "TERM")
        time.sleep(0.05)
        assert open(output).read() == "ready\n"
        box.must("resume")
        assert exit_status(pid) == 0
    assert open(output).read() == "ready\nsignal 15\n"
