"""A host or a limit that has no more to give: one line, and nothing is left (the fixture nothing_left looks)."""

import os
import resource

import pytest

from harness.marks import both_views


@pytest.mark.parametrize("command", ["run", "create"])
def test_few_descriptors(container, bundle, command):
    """EMFILE at one place after the other, from the first descriptor to enough for all."""
    made = bundle("exit", 3)
    worked = False
    for limit in range(4, 40):
        with container(made) as box:
            result = getattr(box, command)(
                preexec=lambda limit=limit: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
            worked = result.status == (3 if command == "run" else 0)
            if worked:
                break
            assert result.status == 1 and result.error
            assert not os.path.exists(os.path.join(box.runtime.root, box.id)), result
    assert worked


def test_no_memory_in_the_container_s_process(container, bundle):
    """RLIMIT_AS counts for the process before its program runs: an exception there must not unwind into the parent's code."""
    def little(config):
        config["process"]["rlimits"] = [{"type": "RLIMIT_AS", "soft": 1, "hard": 1}]
        config["process"]["args"] = ["/probe"] + ["x" * 1000] * 20000

    with container(bundle(change=little)) as box:
        assert "bad_alloc" in box.run().error


@both_views
@pytest.mark.parametrize("created", [False, True], ids=["run", "create"])
def test_half_a_megabyte_is_enough(container, bundle, view, created):
    """The limit counts for what berth does in the container's cgroup too, from its first page on."""
    if "memory" not in view.controllers:
        pytest.skip("no memory controller in the v2 view: a v1 hierarchy of this host holds it")

    def little(config):
        config["linux"]["resources"]["memory"] = {"limit": 512 << 10, "swap": 512 << 10}

    with container(bundle("sleep" if created else "exit", *([] if created else [7]), change=little)) as box:
        if not created:
            assert box.run().status == 7
            return
        box.must("create")
        name = "memory.max" if view.unified else "memory.limit_in_bytes"
        with open(os.path.join(view.cgroup_of(box.pid, "memory"), name)) as file:
            assert file.read().strip() == str(512 << 10)
        box.must("start")
