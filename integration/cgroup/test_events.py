"""`events`: what a container uses, and the kernel's OOM killer, as they are felt."""

import json
import os
import subprocess
import time

import pytest

from harness.marks import both_views, every_mode
from harness.runtime import exit_status, wait_until

MB = 1 << 20


def resources(**values):
    return lambda config: config["linux"]["resources"].update(values)


def needs(view, controller):
    if controller not in view.controllers:
        pytest.skip(f"no {controller} controller in the {view.name} view")


@pytest.fixture
def started(container, bundle):
    """started(command..., change=): a container that runs; it is deleted at the end."""
    boxes = []

    def start(*command, change=None, args=None):
        made = bundle(*command, change=change, args=args)
        if args:
            made.busybox("/bin/busybox", "sleep", "dd", "mkfifo")
        box = container(made)
        box.__enter__()
        boxes.append(box)
        box.must("create")
        box.first_pid = box.pid
        box.must("start")
        return box
    yield start
    for box in boxes:
        box.__exit__(None, None, None)


@pytest.fixture
def watcher(bundle, runtime):
    """watcher(box, interval) runs `events`; gives the process and a function that reads the lines until now."""
    running = []

    def watch(box, interval):
        path = box.bundle.file("events")
        with open(path, "wb") as out:
            process = runtime.popen("events", "--interval", interval, box.id, stdout=out, stderr=subprocess.STDOUT)
        running.append(process)
        return process, lambda: [json.loads(line) for line in open(path)]
    yield watch
    for process in running:
        process.kill()
        process.wait()


def stats(box):
    result = box.runtime("events", "--stats", box.id)
    assert result.ok and not result.stderr, result
    event = result.json
    assert result.stdout.count("\n") == 1 and event["type"] == "stats" and event["id"] == box.id
    return event["data"]


@both_views
def test_statistics_have_the_shape_of_runc(started, view):
    data = stats(started("sleep"))
    assert list(data) == ["cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "intel_rdt", "network_interfaces"]
    assert set(data["cpu"]) - {"psi"} == {"usage", "throttling"} and data["cpu"]["usage"]["total"] > 0
    assert {"kernel", "user"} <= set(data["cpu"]["usage"])
    assert {"usage", "swap", "kernel", "kernelTCP"} <= set(data["memory"])
    assert all({"limit", "failcnt"} <= set(data["memory"][name]) for name in ("usage", "swap", "kernel", "kernelTCP"))
    assert data["pids"]["current"] == 1
    assert data["intel_rdt"] == {} and data["network_interfaces"] is None
    if "memory" in view.controllers:
        assert data["memory"]["usage"]["usage"] > 0 and data["memory"]["raw"]
        assert data["memory"]["usage"]["max"] >= data["memory"]["usage"]["usage"]
    if not view.unified:
        assert len(data["cpu"]["usage"]["percpu"]) >= 1 and data["cpuset"]["cpus"] and data["cpuset"]["mems"]
    if view.mounts.get("") and os.path.exists("/proc/pressure/memory"):
        for subject in ("cpu", "memory", "blkio"):
            assert set(data[subject]["psi"]) == {"some", "full"}
            assert set(data[subject]["psi"]["some"]) == {"avg10", "avg60", "avg300", "total"}


@both_views
def test_statistics_show_limits(started, view):
    needs(view, "memory")
    needs(view, "pids")
    data = stats(started("sleep", change=resources(memory={"limit": 64 * MB, "swap": 96 * MB}, pids={"limit": 30})))
    assert data["memory"]["usage"]["limit"] == 64 * MB and data["memory"]["swap"]["limit"] == 96 * MB
    assert data["pids"]["limit"] == 30


@both_views
def test_huge_pages_are_counted(started, view):
    needs(view, "hugetlb")
    assert stats(started("sleep"))["hugetlb"]["2MB"] == {"failcnt": 0}


@both_views
def test_statistics_each_interval_until_the_end(started, watcher):
    box = started("sleep")
    process, events = watcher(box, "100ms")
    wait_until(lambda: len(events()) >= 3, what="three lines")
    assert all(event["type"] == "stats" and event["id"] == box.id for event in events())
    box.must("kill", "KILL")
    exit_status(box.first_pid)
    assert process.wait(timeout=5) == 0


@every_mode
def test_oom_is_told_at_once(started, watcher, view):
    """Long before the next statistics, and although the container lives on: only its child is killed."""
    needs(view, "memory")
    box = started(args=["/bin/sh", "-c", "while [ ! -e /go ]; do sleep 0.05; done; "
                        "dd if=/dev/zero of=/dev/null bs=64M count=1; sleep 1000"],
                  change=resources(memory={"limit": 16 * MB, "swap": 16 * MB}))
    process, events = watcher(box, "1h")
    time.sleep(0.3)  # it watches
    assert events() == []
    begin = time.monotonic()
    open(os.path.join(box.bundle.rootfs, "go"), "w").close()
    wait_until(lambda: events(), what="the notice")
    assert time.monotonic() - begin < 3
    assert events()[0] == {"type": "oom", "id": box.id}
    assert box.status == "running" and process.poll() is None


@every_mode
def test_oom_of_the_container_itself(started, watcher, view):
    """First the notice, then the end."""
    needs(view, "memory")
    box = started(args=["/bin/sh", "-c", "while [ ! -e /go ]; do sleep 0.05; done; "
                        "exec dd if=/dev/zero of=/dev/null bs=64M count=1"],
                  change=resources(memory={"limit": 16 * MB, "swap": 16 * MB}))
    process, events = watcher(box, "1h")
    time.sleep(0.3)
    open(os.path.join(box.bundle.rootfs, "go"), "w").close()
    assert exit_status(box.first_pid) == 137
    assert process.wait(timeout=5) == 0
    assert {"type": "oom", "id": box.id} in events()


@every_mode
def test_the_end_without_lack_of_memory_is_no_oom(started, watcher):
    box = started("sleep")
    process, events = watcher(box, "1h")
    time.sleep(0.2)
    box.must("delete", "--force")  # which takes the cgroup away
    exit_status(box.first_pid)
    assert process.wait(timeout=5) == 0 and events() == []


@every_mode
def test_a_fifth_of_a_cpu(started, view):
    """A busy loop with a quota of 20 % gets 20 %, and the statistics say that it was held back."""
    needs(view, "cpu")
    box = started("spin", change=resources(cpu={"quota": 20000, "period": 100000}))
    begin, before = time.monotonic(), stats(box)["cpu"]
    time.sleep(2)
    after, seconds = stats(box)["cpu"], time.monotonic() - begin
    share = (after["usage"]["total"] - before["usage"]["total"]) / 1e9 / seconds
    assert 0.05 < share < 0.24, share
    throttling = after["throttling"]
    assert throttling["periods"] > 10 and throttling["throttledPeriods"] > 5 and throttling["throttledTime"] > 1e8
    # Lifted, it is felt at once; on a busy machine at least a little.
    assert box.runtime("update", "--cpu-quota", "-1", box.id).ok
    calm = stats(box)["cpu"]["throttling"].get("throttledPeriods", 0)
    time.sleep(0.5)
    assert stats(box)["cpu"]["throttling"].get("throttledPeriods", 0) <= calm + 1


@every_mode
def test_a_fork_bomb_stops_at_the_limit(started, view):
    needs(view, "pids")
    box = started(args=["/bin/sh", "-c", "mkfifo /f; bomb() { while :; do bomb & sleep 0.01; done; }; bomb 2>/dev/null & "
                        "while :; do read line </f; done 2>/dev/null"],  # a shell ends when it cannot fork; this one only waits
                  change=resources(pids={"limit": 15}))
    wait_until(lambda: stats(box)["pids"]["current"] >= 14, what="the bomb at its limit", seconds=10)
    assert max(stats(box)["pids"]["current"] for _ in range(10)) <= 15
    wait_until(lambda: stats(box)["pids"].get("events", {"max": 1})["max"] > 0, what="pids.events")


@both_views
def test_events_needs_a_living_container(runtime, container, bundle):
    assert "does not exist" in runtime("events", "--stats", "nobody").error
    with container(bundle("exit", 0)) as box:
        assert box.run("--keep").ok
        assert "not running" in runtime("events", box.id).error


@pytest.mark.parametrize("interval", ["0", "0s", "5", "-1s", "x", "1y"])
def test_intervals_that_cannot_be(runtime, interval):
    assert "--interval" in runtime("events", "--interval", interval, "nobody").error
