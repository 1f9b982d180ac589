"""The runtime under test as a command."""

import json
import os
import select
import signal
import subprocess
import tempfile
import time

from .report import Report


class Result:
    """How a command ended and what it wrote."""

    def __init__(self, command, status, stdout, stderr, seconds):
        self.command, self.status, self.stdout, self.stderr, self.seconds = command, status, stdout, stderr, seconds

    def __repr__(self):
        return (f"{' '.join(map(str, self.command))}\n  status {self.status}\n  stdout {self.stdout!r}\n"
                f"  stderr {self.stderr!r}")

    @property
    def ok(self):
        return self.status == 0

    @property
    def json(self):
        return json.loads(self.stdout)

    @property
    def report(self):
        """What the probe of a container reported."""
        assert self.status == 0 and self.stdout, self
        return Report(self.json)

    @property
    def error(self):
        """The one line of a command that failed."""
        assert self.status != 0, f"it should have failed: {self!r}"
        assert self.stderr.endswith("\n") and self.stderr.count("\n") == 1, f"not one line on stderr: {self!r}"
        return self.stderr.rstrip("\n")


def wait_ended(process, timeout):
    """The status of a child, as soon as it ends: subprocess itself would look for it at intervals of up to 50 ms."""
    fd = os.pidfd_open(process.pid)
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        if not poll.poll(timeout * 1000):
            raise subprocess.TimeoutExpired(process.args, timeout)
    finally:
        os.close(fd)
    return process.wait()


class Runtime:
    """Runs `binary --root ROOT ARGUMENTS...` in a view of the host. Output goes to files, not pipes: a container that
    lives on keeps them open."""

    def __init__(self, binary, root, view, global_args=()):
        self.binary, self.root, self.view, self.global_args = binary, root, view, tuple(global_args)
        if view.systemd and not global_args:
            self.global_args = ("--systemd-cgroup",)

    def with_args(self, *global_args):
        return Runtime(self.binary, self.root, self.view, self.global_args + global_args)

    def command(self, *args):
        return [self.binary, "--root", self.root, *self.global_args, *map(str, args)]

    def popen(self, *args, cwd="/", preexec=None, enter=None, **options):
        """A command in the background. `preexec` runs in the child after it entered the view."""
        def prepare():
            self.view.enter(cwd)
            if preexec:
                preexec()

        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.DEVNULL)
        options.setdefault("stderr", subprocess.DEVNULL)
        if preexec or (self.view.holder and cwd != "/"):
            return subprocess.Popen(self.command(*args), cwd=cwd, preexec_fn=prepare, **options)
        # Python forks for a preexec_fn, with all its memory, which takes longer than the commands themselves.
        return subprocess.Popen(self.view.entry + self.command(*args), cwd=cwd, **options)

    def __call__(self, *args, timeout=20, input=None, **options):
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as given:
            if input is not None:
                given.write(input.encode() if isinstance(input, str) else input)
                given.seek(0)
                options["stdin"] = given
            options.setdefault("stdout", out)
            options.setdefault("stderr", err)
            start = time.monotonic()
            process = self.popen(*args, **options)
            try:
                status = wait_ended(process, timeout)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                err.seek(0)
                raise AssertionError(f"no end after {timeout} s: {self.command(*args)}: {err.read()!r}") from None
            seconds = time.monotonic() - start
            out.seek(0)
            err.seek(0)
            return Result(self.command(*args), status, out.read().decode(errors="replace"),
                          err.read().decode(errors="replace"), seconds)


class Container:
    """One id, whose remains go away with the context."""

    def __init__(self, runtime, bundle, id):
        self.runtime, self.bundle, self.id = runtime, bundle, id

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if os.path.exists(os.path.join(self.runtime.root, self.id)):
            self.runtime("delete", "--force", self.id)

    def run(self, *flags, **options):
        return self.runtime("run", "--bundle", self.bundle.path, *flags, self.id, **options)

    def create(self, *flags, **options):
        return self.runtime("create", "--bundle", self.bundle.path, *flags, self.id, **options)

    def must(self, command, *arguments, **options):
        """A command on this id that has to work."""
        result = getattr(self, command)(*arguments, **options)
        assert result.ok, result
        return result

    def exec(self, *args, flags=(), **options):
        """A further process; the probe's report by default."""
        return self.runtime("exec", *flags, self.id, *(args or ("/probe", "report")), **options)

    def start(self, **options):
        return self.runtime("start", self.id, **options)

    def kill(self, *arguments, **options):
        return self.runtime("kill", *(a for a in arguments if str(a).startswith("--")), self.id,
                            *(a for a in arguments if not str(a).startswith("--")), **options)

    def delete(self, *flags, **options):
        return self.runtime("delete", *flags, self.id, **options)

    def pause(self, **options):
        return self.runtime("pause", self.id, **options)

    def resume(self, **options):
        return self.runtime("resume", self.id, **options)

    def state(self):
        result = self.runtime("state", self.id)
        assert result.ok, result
        return result.json

    @property
    def status(self):
        return self.state()["status"]

    @property
    def pid(self):
        pid = self.state()["pid"]
        assert pid > 0
        return pid

    def wait_status(self, wanted, seconds=5):
        deadline = time.monotonic() + seconds
        while self.status != wanted:
            assert time.monotonic() < deadline, f"still {self.status}, not {wanted}"
            time.sleep(0.01)

    def background(self, *flags, **options):
        """`run` as a process of its own."""
        return self.runtime.popen("run", "--bundle", self.bundle.path, *flags, self.id, **options)


def exit_status(pid, seconds=5):
    """Reaps a process that came to this subreaper; its status as a shell gives it."""
    deadline = time.monotonic() + seconds
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            code = os.waitstatus_to_exitcode(status)
            return 128 - code if code < 0 else code
        assert time.monotonic() < deadline, f"process {pid} did not end"
        time.sleep(0.005)


def wait_until(condition, seconds=5, what="condition"):
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what}: not after {seconds} s"
        time.sleep(0.01)
