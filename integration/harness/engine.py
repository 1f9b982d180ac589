"""Container engines that drive the runtime: dockerd, containerd and podman, each with directories of its own.

All of them run in one pid, mount and network namespace of their own (`Cell`), so that whatever they start, mount or connect
ends with it."""

import fcntl
import json
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time

from .host import cgroup_mounts, mountinfo, reap_children
from .runtime import Result

#: Debian's programs, not others that happen to be installed.
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

# The first process of the cell has one duty: to collect those whose parents ended.
_REAPER = """
import os, time
print("ready", flush=True)
while True:
    try:
        os.wait()
    except ChildProcessError:
        time.sleep(0.05)
"""


class Unavailable(Exception):
    """Why an engine cannot run here."""


def program(name, package):
    found = shutil.which(name, path=PATH)
    if found is None:
        raise Unavailable(f"{name} is not installed: it is in Debian's package {package}")
    return found


def signal_inner(process, number):
    """To the program that nsenter started: nsenter itself hands on no signal, and ends with it."""
    with open(f"/proc/{process.pid}/task/{process.pid}/children") as file:
        for pid in file.read().split():
            os.kill(int(pid), number)


def outcome(command, timeout, input=None, **options):
    """Runs a command to its end, which has to come within `timeout` seconds."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.PIPE if input is not None else subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    try:
        out, err = process.communicate(input.encode() if isinstance(input, str) else input, timeout)
    except subprocess.TimeoutExpired:
        signal_inner(process, signal.SIGKILL)
        out, err = process.communicate()
        raise AssertionError(f"no end after {timeout} s: {command}: {out!r} {err!r}") from None
    return Result(command, process.returncode, out.decode(errors="replace"), err.decode(errors="replace"),
                  time.monotonic() - start)


class Cell:
    """A pid, a mount and a network namespace with a /run/berth of its own. What runs in it ends with close(); without a pid
    namespace (systemd knows processes by the numbers that its own has) only what was ended before."""

    def __init__(self, pid_namespace=True):
        self.namespaces = ["-m", "-n", *(["-p"] if pid_namespace else [])]
        # Docker, where it finds that packets are not forwarded, forwards none but its own; so they are, before it looks.
        first = ('mkdir -p /run/berth && mount -t tmpfs berth /run/berth && busybox ifconfig lo up && '
                 'echo 1 >/proc/sys/net/ipv4/ip_forward && exec "$@"')
        self.outer = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL",
             "unshare", "--mount", "--propagation", "slave", "--net", "--fork", "--kill-child",
             *(["--pid", "--mount-proc"] if pid_namespace else []), "sh", "-c", first, "sh", sys.executable, "-c", _REAPER],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if self.outer.stdout.readline() != b"ready\n":
            raise Unavailable("this machine allows no pid, mount and network namespace")
        self.outer.stdout.close()
        with open(f"/proc/{self.outer.pid}/task/{self.outer.pid}/children") as file:
            self.pid = int(file.read().split()[0])

    def command(self, *arguments):
        return ["nsenter", "-t", str(self.pid), *self.namespaces, "--wdns=/", "--", *map(str, arguments)]

    def mounts(self):
        with open(f"/proc/{self.pid}/mountinfo") as file:
            return [(mount["point"], mount["fstype"]) for mount in mountinfo(file.read())]

    def close(self):
        if self.outer.poll() is not None:
            return
        os.kill(self.pid, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while self.outer.poll() is None:  # it ends after all others in the namespace, some of which may be orphans of ours
            assert time.monotonic() < deadline, "processes of the engines do not end"
            reap_children()
            time.sleep(0.02)


class Daemon:
    """A server in the cell; ready as soon as `answers` is true."""

    def __init__(self, cell, command, log, answers, environment=None, seconds=120):
        self.log = log
        with open(log, "wb") as file:
            self.process = subprocess.Popen(cell.command(*command), stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                            env={**os.environ, "PATH": PATH, **(environment or {})})
        deadline = time.monotonic() + seconds
        while not answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise Unavailable(f"{os.path.basename(command[0])} cannot be started here: {self.last_words()}")
            time.sleep(0.1)

    def last_words(self):
        with open(self.log, errors="replace") as file:
            lines = [line for line in file.read().splitlines() if line.strip()]
        return " / ".join(lines[-3:])

    def close(self):
        if self.process.poll() is not None:
            return
        signal_inner(self.process, signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            signal_inner(self.process, signal.SIGKILL)
            self.process.wait()


class Client:
    """An engine's command line: `client("run", ...)` gives the Result."""

    def __init__(self, cell, command, environment=None):
        self.cell, self.base = cell, command
        self.environment = {**os.environ, "PATH": PATH, **(environment or {})}

    def command(self, *arguments):
        return self.cell.command(*self.base, *arguments)

    def __call__(self, *arguments, timeout=60, **options):
        return outcome(self.command(*arguments), timeout, env=self.environment, **options)

    def must(self, *arguments, **options):
        """The output of a command that has to work."""
        result = self(*arguments, **options)
        assert result.ok, result
        return result.stdout.strip()

    def background(self, *arguments, **options):
        return subprocess.Popen(self.command(*arguments), env=self.environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)

    def terminal(self, *arguments):
        return Terminal(self.command(*arguments), self.environment)


class Terminal:
    """A person at a terminal who types a command of an engine and then into it."""

    def __init__(self, command, environment):
        self.seen = ""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            try:
                os.execvpe(command[0], command, environment)
            finally:
                os._exit(127)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.master)
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def type(self, text):
        os.write(self.master, text.encode())

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def _read(self):
        if select.select([self.master], [], [], 0.1)[0]:
            try:
                self.seen += os.read(self.master, 65536).decode(errors="replace")
            except OSError:  # EIO: the other end is closed
                return False
        return True

    def expect(self, text, seconds=30):
        """Waits for `text` in what came since the last expect()."""
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            assert self._read() and time.monotonic() < deadline, f"{text!r} did not come: {self.seen!r}"
        before, _, self.seen = self.seen.partition(text)
        return before + text

    def end(self, seconds=30):
        """Waits for the end of the command; its exit status."""
        deadline = time.monotonic() + seconds
        while True:
            found, status = os.waitpid(self.pid, os.WNOHANG)
            if found:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < deadline, f"no end after {seconds} s: {self.seen!r}"
            self._read()


def cgroups_below(name):
    """Cgroups whose path has `name` in it, the deepest first."""
    found = [directory for mount in set(cgroup_mounts().values()) for directory, _, _ in os.walk(mount)
             if name in directory]
    return sorted(found, key=len, reverse=True)


def remove_cgroups(name):
    """Removes those that are empty; gives the others."""
    for directory in cgroups_below(name):
        try:
            os.rmdir(directory)
        except OSError:
            pass
    return cgroups_below(name)


def image_archive(path, rootfs, name, command):
    """Writes the tree `rootfs` as an image `name` in the form of `docker save`, which every engine can load."""
    import hashlib
    import io
    import tarfile

    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.add(rootfs, arcname=".")
    digest = hashlib.sha256(layer.getvalue()).hexdigest()
    config = json.dumps({
        "architecture": "amd64", "os": "linux", "created": "2024-01-01T00:00:00Z",
        "config": {"Env": ["PATH=/bin:/"], "Cmd": command},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        "history": [{"created": "2024-01-01T00:00:00Z", "created_by": "tests"}]}).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [name], "Layers": [f"{digest}/layer.tar"]}]).encode()
    with tarfile.open(path, "w") as tar:
        for member, content in ((config_name, config), (f"{digest}/layer.tar", layer.getvalue()),
                                ("manifest.json", manifest)):
            info = tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
