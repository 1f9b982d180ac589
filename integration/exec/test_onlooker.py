"""What a process of the container with CAP_SYS_PTRACE sees of those that `exec` makes (CVE-2016-9962, CVE-2019-5736)."""

import os
import signal
import subprocess

import pytest

ROUNDS = int(os.environ.get("BERTH_EXEC_ROUNDS", "60"))


def onlooker(config):
    for names in config["process"]["capabilities"].values():
        names += ["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_SYS_ADMIN"]


@pytest.mark.parametrize("flags", [[], ["--tty"]], ids=["plain", "terminal"])
def test_nothing_of_the_host(running, flags):
    """Of every new process, from its first instant on: root, working directory, descriptors, program, environment."""
    host = os.stat("/")
    with running(change=onlooker) as box:
        watcher = box.runtime.popen("exec", box.id, "/probe", "watch", str(host.st_dev), str(host.st_ino),
                                    "SECRET=of-the-caller", stdout=subprocess.PIPE)
        assert watcher.stdout.readline() == b"ready\n"
        for _ in range(ROUNDS):
            assert box.exec("/probe", "exit", "0", flags=flags, env={**os.environ, "SECRET": "of-the-caller"}).ok
        watcher.send_signal(signal.SIGUSR1)
        first, *found = watcher.stdout.read().decode().splitlines()
        watcher.stdout.close()
        assert watcher.wait(5) == 0
        looks = int(first.removeprefix("looks "))
        assert looks >= ROUNDS / 4, "the onlooker saw too little: it proves nothing"
        # The program that is about to be executed is the container's own file, open to see whether it can be.
        assert [sight for sight in found if not sight.endswith(" is /probe")] == []
