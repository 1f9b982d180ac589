"""A process that changes paths while the runtime follows them."""

import contextlib
import ctypes
import os
import signal


@contextlib.contextmanager
def exchanging(one, two):
    """A child swaps the two paths with renameat2(RENAME_EXCHANGE), without end, for as long as the context lasts."""
    pid = os.fork()
    if pid == 0:
        libc = ctypes.CDLL(None)
        while True:
            libc.renameat2(-100, one.encode(), -100, two.encode(), 2)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
