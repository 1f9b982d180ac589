"""pause and resume, felt by the processes."""

import time

from harness.marks import both_views
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
