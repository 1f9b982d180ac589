"""A host or a limit that has no more to give: one line, and nothing is left (the fixture nothing_left looks)."""

import os
import resource

import pytest


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
