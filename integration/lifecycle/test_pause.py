"""pause and resume, felt by the processes."""

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


@pytest.fixture
def stuck(tmp_path):
    """A mounted file system where who writes waits in a way that no signal and no freezer ends."""
    image, place = tmp_path / "image", tmp_path / "place"
    place.mkdir()
    subprocess.run(["mke2fs", "-q", "-t", "ext4", image, "8M"], check=True)
    mounted = subprocess.run(["mount", "-o", "loop", image, place], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"this host has no loop device or no ext4: {mounted.stderr.strip()}")
    try:
        subprocess.run(["fsfreeze", "--freeze", place], check=True)
        yield place
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", place], stderr=subprocess.DEVNULL)
        subprocess.run(["umount", "--lazy", place], check=True)


@in_v2
def test_pause_that_was_killed_half_way(container, bundle, stuck):
    def change(config):
        config["mounts"].append({"destination": "/stuck", "source": str(stuck), "options": ["bind"]})

    with container(bundle("sleep", change=change)) as box:
        box.run("--detach")
        writer = box.runtime.popen("exec", box.id, "/probe", "report", "--try", "create:/stuck/file", stdout=subprocess.DEVNULL)
        wait_until(lambda: len(box.runtime("ps", "--format", "json", box.id).json) == 2, what="the writer")
        time.sleep(0.2)
        pause = box.runtime.popen("pause", box.id)
        time.sleep(0.3)
        assert pause.poll() is None
        pause.kill()
        pause.wait()
        assert box.status == "running"  # the writer is
        refused = box.exec("/probe", "exit", 0)
        assert refused.status == 255 and "paused" in refused.error
        resumed = box.must("resume")
        assert resumed.seconds < 1
        assert box.exec("/probe", "exit", 7).status == 7
        subprocess.run(["fsfreeze", "--unfreeze", stuck], check=True)
        assert writer.wait(5) == 0


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
