"""Shares of Intel RDT: no machine of ours has them, so a tree of plain files stands in for resctrl."""

import json
import os
import signal

import pytest

from harness import libc
from harness.marks import both_views
from harness.runtime import wait_until

CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 4096, 16384, 1 << 18


@pytest.fixture
def resctrl(directory):
    """A file system that only the commands see which are called with preexec=resctrl.enter."""
    class Resctrl:
        path = os.path.join(directory, "resctrl")

        def make(self, group, schemata):
            os.makedirs(f"{self.path}/{group}")
            with open(f"{self.path}/{group}/schemata", "w") as file:
                file.write(schemata)

        def schemata(self, group):
            with open(f"{self.path}/{group}/schemata") as file:
                return file.read()

        def enter(self):
            with open("/proc/self/mountinfo") as file:
                mounts = file.read()
            table = os.path.join(directory, "mountinfo")
            with open(table, "w") as file:
                file.write(f"{mounts}9999 1 0:999 / {self.path} rw - resctrl resctrl rw\n")
            libc.unshare(CLONE_NEWNS)
            libc.mount(None, "/", None, MS_REC | MS_PRIVATE)
            libc.mount(table, f"/proc/{os.getpid()}/mountinfo", None, MS_BIND)
    return Resctrl()


def limited(config):
    config["linux"]["resources"]["pids"] = {"limit": 50}


@both_views
def test_shares_and_limits_are_one_update(container, bundle, resctrl, view):
    """All or nothing, limits that are lifted included."""
    if "pids" not in view.controllers:
        pytest.skip("this view has no controller pids")
    with container(bundle("sleep", change=limited)) as box:
        box.must("create")
        resctrl.make(box.id, "L3:0=ff\n")
        file = view.cgroups_of(box.pid)["" if view.unified else "pids"] + "/pids.max"

        def update(*options, **resources):
            options = options or ("--resources=-",)  # which leaves no other option in force
            return box.runtime("update", "--l3-cache-schema", "L3:0=f", *options, box.id, input=json.dumps(resources),
                               preexec=resctrl.enter)

        assert "/linux/resources/cpu" in update(cpu={"cpus": "4000"}).error
        assert (resctrl.schemata(box.id), open(file).read()) == ("L3:0=ff\n", "50\n")
        assert update("--pids-limit", "60").ok
        assert (resctrl.schemata(box.id), open(file).read()) == ("L3:0=f\n", "60\n")
        assert update("--pids-limit", "-1").ok
        assert open(file).read() == "max\n"


def test_run_removes_the_group_that_an_update_made(container, bundle, runtime, state_root, directory):
    """The record says which, and is another than when the container was made."""
    made, group = bundle("sleep"), os.path.join(directory, "group")
    box = container(made)
    running = runtime.popen("run", "-b", made.path, box.id)
    record = os.path.join(state_root, box.id, "record.json")
    wait_until(lambda: os.path.exists(record), what="the record")
    box.wait_status("running")
    os.mkdir(group)
    with open(record) as file:
        changed = json.load(file)
    with open(record, "w") as file:
        file.write(json.dumps({**changed, "rdtDirectories": [group]}) + "\n")
    os.kill(changed["pid"], signal.SIGKILL)
    assert running.wait(10) == 128 + signal.SIGKILL
    assert not os.path.exists(group)
