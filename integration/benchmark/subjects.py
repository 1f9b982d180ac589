"""The subjects of the benchmark. Each takes the Bench and gives rows: {"subject", "unit", "values": {runtime: number}}.

Every figure is the median of turns that the runtimes take by turns in one run, so that their ratio means something on a
machine whose speed drifts; beside a crowd, the mean of several such medians."""

import copy
import json
import os
import shutil
import statistics
import subprocess
import time

from harness import libc
from harness.bundle import Bundle, base_config
from harness.configurations import engine_config, fill, without_limits_that
from harness.host import View

THOUSAND = 1000
SECONDS_FOR_A_CROWD = 300  # of each runtime


class Bench:
    """Bundles, runtimes and the stopwatch. Starts in the caller's own mount namespace with this host's cgroups;
    `enter_cgroup2` changes that for good."""

    def __init__(self, directory, runtimes, programs, quick):
        self.directory, self.runtimes, self.programs, self.quick = directory, runtimes, programs, quick
        self.native = View("native")
        self.in_cgroup2 = self.native.unified
        self.busybox = shutil.which("busybox")
        self.made = {}

    def turns(self, count):
        return max(5, count // 10) if self.quick else count

    def enter_cgroup2(self):
        if not self.in_cgroup2:
            libc.umount("/sys/fs/cgroup")
            libc.mount("cgroup2", "/sys/fs/cgroup", "cgroup2")
            self.in_cgroup2 = True

    def bundle(self, kind, args=("/bin/true",), change=None):
        """The path of a bundle of this kind whose program is `args`; limits that the view has no controllers for are
        left out, and every container gets a cgroup of its own name."""
        key = (kind, tuple(args), change)
        if key in self.made:
            return self.made[key]
        config = without_limits_that(View("native"), KINDS[kind]())
        config["process"] |= {"args": list(args), "terminal": False}
        del config["linux"]["cgroupsPath"]
        if change:
            change(config)
        made = Bundle(os.path.join(self.directory, f"bundle-{len(self.made)}"), config)
        for name in ("bin", "dev", "etc", "proc", "run", "sys", "tmp"):
            os.makedirs(os.path.join(made.rootfs, name))
        fill(made, self.busybox)
        for name in ("true", "sleep"):
            shutil.copy(self.busybox, os.path.join(made.rootfs, "bin", name))
        for index in range(200 if kind == "200 bind mounts" else 0):
            made.file(f"volumes/{index}/file", "x")
        made.write()
        self.made[key] = made.path
        return made.path

    def root(self, name):
        return os.path.join(self.directory, "run", name)

    def command(self, name, *arguments):
        return [self.runtimes[name], "--root", self.root(name), *arguments]

    def call(self, name, *arguments):
        """A command that has to work; gives what it writes."""
        done = subprocess.run(self.command(name, *arguments), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(done.args)}: status {done.returncode}: {done.stderr}")
        return done.stdout

    def start_in_background(self, name, bundle, identity):
        """`run --detach`; its output goes nowhere, because a container that lives on keeps it open."""
        subprocess.run(self.command(name, "run", "--detach", "--bundle", bundle, identity), check=True, timeout=60,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def stopwatch(self, *arguments):
        done = subprocess.run([self.programs["stopwatch"], *map(str, arguments)], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return [line.split() for line in done.stdout.splitlines()]

    def rounds(self, count, commands):
        """commands: name -> words of a subject (see stopwatch.cpp). Gives name -> (median ms, largest KiB)."""
        words = []
        for name, command in commands.items():
            words += ["--", name, *command]
        times, peaks = {}, {}
        for name, nanoseconds, kib in self.stopwatch("rounds", self.turns(count), *words):
            times.setdefault(name, []).append(int(nanoseconds) / 1e6)
            peaks.setdefault(name, []).append(int(kib))
        return {name: (statistics.median(times[name]), statistics.median(peaks[name])) for name in times}


def bare():
    """Namespaces, proc, /dev and nothing else."""
    config = base_config("/x")
    config["mounts"] = config["mounts"][:2]
    return config


def with_bind_mounts():
    config = bare()
    config["mounts"] += [{"destination": f"/volumes/{index}", "type": "bind", "source": f"volumes/{index}",
                          "options": ["rbind", "ro", "nosuid"]} for index in range(200)]
    return config


def with_seccomp_rules():
    """2,000 rules: 40 system calls with 50 values of an argument each."""
    config = bare()
    names = ("personality socket fcntl ioctl prctl clone kill tgkill setpriority getpriority mmap mprotect madvise lseek fchmod "
             "fchown dup2 getrlimit setrlimit sched_setscheduler semctl shmctl msgctl quotactl keyctl timer_create ioprio_set "
             "inotify_add_watch unshare setns bpf perf_event_open fallocate sync_file_range splice tee getrandom memfd_create "
             "userfaultfd membarrier").split()
    calls = [{"names": [name], "action": "SCMP_ACT_ERRNO", "errnoRet": 1,
              "args": [{"index": 2, "value": 0x7000_0000 + value, "op": "SCMP_CMP_EQ"}]}
             for name in names for value in range(50)]
    config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
                                  "syscalls": calls}
    return config


KINDS = {"Docker": lambda: copy.deepcopy(engine_config("docker-default")),
         "Podman": lambda: engine_config("podman-default"),
         "containerd": lambda: engine_config("containerd-default"),
         "bare": bare, "200 bind mounts": with_bind_mounts, "2,000 seccomp rules": with_seccomp_rules}
SLEEP = ("/bin/sleep", "1000000")


def row(subject, unit, values):
    return {"subject": subject, "unit": unit, "values": values}


def memory_limit(bench):
    """The smallest memory limit with which a container of the Docker bundle still starts and ends well."""
    if bench.in_cgroup2 and "memory" not in bench.native.controllers:
        return []
    values = {}
    for name in bench.runtimes:
        works, fails = None, 0
        for kib in (64, 128, 256, 384, 512, 1024, 2048, 4096, 6144, 8192, 12288, 16384, 32768):
            bundle = bench.bundle("Docker", change=MemoryLimit(kib * 1024))
            done = subprocess.run(bench.command(name, "run", "--bundle", bundle, f"limit-{name}-{kib}"), check=False,
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
            subprocess.run(bench.command(name, "delete", "--force", f"limit-{name}-{kib}"), check=False, capture_output=True)
            works, fails = (kib, fails) if done.returncode == 0 else (None, kib)
            if works:
                break
        if works:
            values[name] = works
    return [row("smallest memory limit", "KiB", values)]


class MemoryLimit:
    """Sets linux.resources.memory.limit; equal to another of the same limit, so that bundles are made once."""

    def __init__(self, limit):
        self.limit = limit

    def __call__(self, config):
        config["linux"].setdefault("resources", {})["memory"] = {"limit": self.limit, "swap": self.limit}

    def __eq__(self, other):
        return isinstance(other, MemoryLimit) and self.limit == other.limit

    def __hash__(self):
        return hash(self.limit)


def run(bench):
    """`run` of every bundle; the peak memory of the Docker one."""
    bench.enter_cgroup2()
    rows = []
    for kind in KINDS:
        bundle = bench.bundle(kind)
        commands = {name: bench.command(name, "run", "--bundle", bundle, "run-{}") for name in bench.runtimes}
        if kind == "Docker":
            commands["floor"] = [bench.programs["floor"], bundle, docker_filter(bench), "/bin/true"]
        measured = bench.rounds(200, commands)
        rows.append(row(f"run, {kind} bundle", "ms", {name: time for name, (time, _) in measured.items()}))
        if kind == "Docker":
            rows.append(row("peak memory of run", "KiB", {name: peak for name, (_, peak) in measured.items()}))
    return rows


def docker_filter(bench):
    """A file with the filter that berth makes of the Docker bundle's profile."""
    path = os.path.join(bench.directory, "filter")
    bench.start_in_background("berth", bench.bundle("Docker", SLEEP), "filtered")
    pid = json.loads(bench.call("berth", "state", "filtered"))["pid"]
    with open(path, "wb") as file:
        subprocess.run([bench.programs["filter_of"], str(pid)], stdout=file, check=True)
    bench.call("berth", "delete", "--force", "filtered")
    return path


def lifecycle(bench):
    bench.enter_cgroup2()
    commands = {}
    for name in bench.runtimes:
        commands[name] = [*bench.command(name, "create", "--bundle", bench.bundle("Docker", SLEEP), "life-{}"), ";",
                          *bench.command(name, "start", "life-{}"), ";",
                          *bench.command(name, "delete", "--force", "life-{}")]
    measured = bench.rounds(100, commands)
    return [row("create + start + delete", "ms", {name: time for name, (time, _) in measured.items()})]


def inside(bench):
    """What is done to a container that runs: exec, state, kill."""
    bench.enter_cgroup2()
    alive = {name: f"alive-{name}" for name in bench.runtimes}  # their cgroups have the containers' names
    started = []
    try:
        for name, identity in alive.items():
            bench.start_in_background(name, bench.bundle("Docker", SLEEP), identity)
            started.append(name)
        rows = []
        for subject, *program in (("exec", "/bin/true"), ("state",), ("kill", "URG")):
            measured = bench.rounds(200, {name: bench.command(name, subject, identity, *program)
                                          for name, identity in alive.items()})
            rows.append(row(subject, "ms", {name: time for name, (time, _) in measured.items()}))
            rows.append(row(f"peak memory of {subject}", "KiB", {name: peak for name, (_, peak) in measured.items()}))
        return rows
    finally:
        for name in started:
            bench.call(name, "delete", "--force", alive[name])


def system_calls(bench):
    bench.enter_cgroup2()
    values = {}
    bundle = bench.bundle("Docker")
    summary = os.path.join(bench.directory, "calls")
    for name in bench.runtimes:
        subprocess.run(["strace", "-f", "-c", "-o", summary, *bench.command(name, "run", "--bundle", bundle, "counted")],
                       check=True, stdin=subprocess.DEVNULL, capture_output=True)
        with open(summary) as file:
            values[name] = next(int(line.split()[3]) for line in file if line.split()[-1:] == ["total"])
    return [row("system calls of run", "calls", values)]


def rate(bench):
    bench.enter_cgroup2()
    bundle, rows = bench.bundle("Docker"), []
    for at_once in (1, 2, 4, 16):
        values = {}
        for name in bench.runtimes:
            count = bench.turns(100 if name == "runc" else 300)
            (_, nanoseconds), = bench.stopwatch("rate", count, at_once, "--", name,
                                                *bench.command(name, "run", "--bundle", bundle, "rate-{}"))
            values[name] = count / (int(nanoseconds) / 1e9)
        rows.append(row(f"containers a second, {at_once} at a time", "1/s", values))
    return rows


def reap():
    """The containers' processes have come to this subreaper."""
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        pass


class Crowd:
    """Containers that sleep: `grow` and `vanish` change how many of them live."""

    def __init__(self, bench, name):
        self.bench, self.name, self.groups = bench, name, []

    def alive(self):
        return sum(size for _, size in self.groups)

    def grow(self, count):
        if count > self.alive():
            group = (f"crowd-{count}-{{}}", count - self.alive())
            self.groups.append(group)
            self.each(group, "run", "--detach", "--bundle", self.bench.bundle("Docker", SLEEP))

    def vanish(self):
        failed = None
        while self.groups:
            try:
                self.each(self.groups.pop(), "delete", "--force")
            except RuntimeError as error:
                failed = error
        reap()
        if failed:
            raise failed

    def each(self, group, *command):
        self.bench.stopwatch("rate", group[1], 4, "--", self.name, *self.bench.command(self.name, *command, group[0]))


def crowd(bench):
    """The cost of one more start with 0, 100 and 1,000 others alive, and `list` of 1,000. Of the floor among those of berth.

    A machine can be 40 % faster at one time than at another, each for some ten seconds. So the others come and go, as often as
    there is time for; the figures are means of what was measured each time, and all numbers of others had the same times."""
    bench.enter_cgroup2()
    if bench.quick:
        return []
    visits = {alive: {} for alive in (0, 100, THOUSAND)}
    listing = {}
    bundle = bench.bundle("Docker")
    floor = [bench.programs["floor"], bundle, docker_filter(bench), "/bin/true"]

    def visit(name, others):
        time.sleep(2)  # what the kernel still does for those that went, or came
        one_more = bench.command(name, "run", "--bundle", bundle, f"one-more-{others}-{{}}")
        measured = bench.rounds(80, {name: one_more, "floor": floor})
        for subject in (name, "floor") if name == "berth" else (name,):
            visits[others].setdefault(subject, []).append(measured[subject][0])

    for name in bench.runtimes:
        others_of_it = Crowd(bench, name)
        until = time.monotonic() + SECONDS_FOR_A_CROWD
        try:
            while True:
                for others in visits:
                    others_of_it.grow(others)
                    visit(name, others)
                listing.setdefault(name, []).append(bench.rounds(20, {name: bench.command(name, "list")})[name][0])
                others_of_it.vanish()
                if time.monotonic() > until:
                    break
            visit(name, 0)
        finally:
            others_of_it.vanish()
    rows = [row(f"run beside {alive} others", "ms", {name: statistics.mean(of) for name, of in medians.items()})
            for alive, medians in visits.items()]
    return rows + [row("list of 1,000", "ms", {name: statistics.mean(of) for name, of in listing.items()})]


ALL = {"memory-limit": memory_limit, "run": run, "lifecycle": lifecycle, "inside": inside, "system-calls": system_calls,
       "rate": rate, "crowd": crowd}
