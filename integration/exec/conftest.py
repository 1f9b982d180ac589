"""A container that runs, and `exec` in it."""

import contextlib
import os

import pytest

from harness.host import reap_children
from harness.runtime import wait_until


@pytest.fixture
def running(container, bundle):
    """running(change) is a context of a container whose program only waits."""
    @contextlib.contextmanager
    def running(*probe_args, change=None, flags=(), runtime=None):
        with container(bundle(*(probe_args or ("sleep",)), change=change)) as box:
            if runtime:
                box.runtime = runtime
            box.must("create", *flags)
            box.must("start")
            pid = box.pid
            try:
                yield box
            finally:
                # A pid namespace ends when all its processes are reaped, and those of `exec` came to this process.
                box.resume()
                box.kill("--all", "KILL")
                wait_until(lambda: reap_children() or not os.path.exists(f"/proc/{pid}"))
    return running
