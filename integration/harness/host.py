"""The host as an onlooker sees it: cgroups, mounts, processes; and the views of it that the runtime gets."""

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import time

from . import libc


def mountinfo(text=None):
    """The mounts as dictionaries, in order (proc_pid_mountinfo(5))."""
    if text is None:
        with open("/proc/self/mountinfo") as file:
            text = file.read()
    mounts = []
    for line in text.splitlines():
        left, right = line.split(" - ", 1)
        fields, (fstype, source, super_options) = left.split(" "), (right.split(" ") + [""])[:3]
        mounts.append({"root": fields[3], "point": fields[4], "options": set(fields[5].split(",")),
                       "propagation": fields[6:], "fstype": fstype, "source": source,
                       "super": set(super_options.split(",")), "device": fields[2]})
    return mounts


def cgroup_mounts():
    """Controller or name= (v1) or "" (cgroup2) -> mount point of its hierarchy."""
    found = {}
    for mount in mountinfo():
        if mount["fstype"] == "cgroup2":
            found[""] = mount["point"]
        elif mount["fstype"] == "cgroup":
            for option in mount["super"] - {"rw", "ro", "xattr", "clone_children"}:
                found[option] = mount["point"]
    return found


def has_systemd():
    """Whether systemd is this host's init."""
    return os.path.isdir("/run/systemd/system")


#: Views in a mount namespace of their own, and how they are made from this host's mounts.
PRIVATE_VIEWS = {
    "v2": "umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup",
    "v1": "umount /sys/fs/cgroup/unified",
    "hybrid": "umount -R /sys/fs/cgroup && mount -t tmpfs cgroup /sys/fs/cgroup && cd /sys/fs/cgroup && "
              "mkdir unified net_cls,net_prio && mount -t cgroup2 cgroup2 unified && "
              "mount -t cgroup -o net_cls,net_prio cgroup net_cls,net_prio",
}


class View:
    """The cgroup hierarchies that the runtime finds at /sys/fs/cgroup, and who makes cgroups there. "native": those of
    this host. "systemd": the same, in units. "v2": one private cgroup2. "v1": this host's without cgroup2. "hybrid":
    cgroup2 and, beside it, those two controllers of v1 that cgroup2 does not have."""

    def __init__(self, name):
        self.name = name
        self.systemd = name == "systemd"
        self.holder = None
        self.mounts = cgroup_mounts()
        if name in PRIVATE_VIEWS:
            self._hold_private_view(PRIVATE_VIEWS[name])
        if name == "v2":
            self.mounts = {"": self.mounts.get("")}
        elif name == "v1":
            self.mounts.pop("")
        elif name == "hybrid":
            hierarchy = f"/proc/{self.holder.pid}/root/sys/fs/cgroup/net_cls,net_prio"
            self.mounts.update(net_cls=hierarchy, net_prio=hierarchy)
        self.unified = set(self.mounts) == {""}

    def _hold_private_view(self, commands):
        self.holder = subprocess.Popen(
            ["unshare", "-m", "--propagation", "slave", "sh", "-c", commands + " && echo ready && exec sleep inf"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        if self.holder.stdout.readline() != b"ready\n":
            raise RuntimeError(f"the private view {self.name} could not be made")
        self.holder.stdout.close()

    def cgroups_path(self, name):
        """What /linux/cgroupsPath is for a container of this name."""
        return ":{}:{}".format(*name.rsplit("-", 1)) if self.systemd else "/" + name

    def close(self):
        if self.holder:
            self.holder.kill()
            self.holder.wait()

    @property
    def entry(self):
        """The beginning of a command that is to run in the view, at "/"."""
        return ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", "--"] if self.holder else []

    def enter(self, cwd):
        """For preexec_fn: moves the calling process into the view."""
        if self.holder:
            fd = os.open(f"/proc/{self.holder.pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
            libc.setns(fd, libc.CLONE_NEWNS)
            os.close(fd)
            os.chdir(cwd)

    @property
    def controllers(self):
        """Controllers whose limits the runtime can set here."""
        if not self.unified:
            return set(self.mounts) - {""}
        if self.mounts.get("") is None:
            return set()
        with open(self.mounts[""] + "/cgroup.controllers") as file:
            return set(file.read().split())

    def cgroups_of(self, pid):
        """Controller ("" for cgroup2) -> directory of the process."""
        found = {}
        with open(f"/proc/{pid}/cgroup") as file:
            for line in file:
                _, names, path = line.rstrip("\n").split(":", 2)
                for name in names.split(","):
                    if name in self.mounts:
                        found[name] = self.mounts[name] + path
        return found

    def cgroup_of(self, pid, controller):
        """The directory that holds the limits of one controller for the process."""
        found = self.cgroups_of(pid)
        return found[controller if controller in found else ""]


def cgroups_below(directory):
    """All cgroups below one, by their paths. Each has many files, so those without children (two links) are not read."""
    try:
        if os.stat(directory).st_nlink == 2:
            return
        with os.scandir(directory) as entries:
            names = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENAMETOOLONG):  # the second: of a test that runs beside this one
            raise
        return
    for path in names:
        yield path
        yield from cgroups_below(path)


def children():
    """Direct children of this process; it is a subreaper, so a process that outlived its parent is among them."""
    pids = []
    for task in os.listdir("/proc/self/task"):
        with contextlib.suppress(FileNotFoundError):  # a test's thread that has just ended: its children are another's now
            with open(f"/proc/self/task/{task}/children") as file:
                pids += [int(pid) for pid in file.read().split()]
    return pids


def describe(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            command = file.read().replace(b"\0", b" ").decode(errors="replace").strip()
        with open(f"/proc/{pid}/stat") as file:
            state = file.read().rsplit(")", 1)[1].split()[0]
        return f"{pid} ({state}) {command}"
    except OSError:
        return str(pid)


class Snapshot:
    """What a test has to leave as it was. `token` marks the names of this session's cgroups; `namespaces` are the
    processes whose mounts count."""

    def __init__(self, token, state_root, namespaces=("self",)):
        self.token, self.state_root, self.namespaces = token, state_root, namespaces
        self.mounts = []
        for pid in namespaces:
            with open(f"/proc/{pid}/mountinfo") as file:
                self.mounts += [(str(pid), m["root"], m["point"], m["fstype"]) for m in mountinfo(file.read())]
        self.cgroups = self._cgroups()
        self.children = set(children())
        self.state = self._names(state_root)
        self.shared_memory = self._names("/dev/shm")
        self.default_root = self._names("/run/berth")
        self.fds = self._fds()

    @staticmethod
    def _names(directory):
        try:
            # Names with @ are no container's: the cache of seccomp filters.
            return {name for name in os.listdir(directory) if not name.startswith("@")}
        except FileNotFoundError:
            return set()

    @staticmethod
    def _fds():
        links = {}
        for name in os.listdir("/proc/self/fd"):
            try:
                link = os.readlink(f"/proc/self/fd/{name}")
            except OSError:
                continue
            if not link.startswith("/proc/"):
                links[int(name)] = link
        return links

    def _cgroups(self):
        return {path for mount in set(cgroup_mounts().values()) for path in cgroups_below(mount) if self.token in path}

    def leaks_since(self, before, patience=2.0):
        """What is there now and was not before, as lines; waits a little for what goes away by itself."""
        deadline = time.monotonic() + patience
        while True:
            reap_children()
            now = Snapshot(self.token, self.state_root, self.namespaces)
            leaks = now._differences(before)
            if not leaks or time.monotonic() > deadline:
                return leaks
            time.sleep(0.02)

    def _differences(self, before):
        leaks = []
        extra = list(self.mounts)
        for mount in before.mounts:
            if mount in extra:
                extra.remove(mount)
        leaks += [f"mount {mount}" for mount in extra]
        leaks += [f"mount lost: {mount}" for mount in before.mounts if mount not in self.mounts]
        leaks += [f"cgroup {path}" for path in sorted(self.cgroups - before.cgroups)]
        leaks += [f"process {describe(pid)}" for pid in sorted(self.children - before.children)]
        leaks += [f"state {name}" for name in sorted(self.state - before.state)]
        leaks += [f"/dev/shm/{name}" for name in sorted(self.shared_memory - before.shared_memory)]
        leaks += [f"/run/berth/{name}" for name in sorted(self.default_root - before.default_root)
                  if self.token in name]
        leaks += [f"descriptor {fd} {link}" for fd, link in self.fds.items() if before.fds.get(fd) != link]
        return leaks


def reap_children():
    """Collects ended orphans, which nobody else waits for."""
    for pid in children():
        try:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rsplit(")", 1)[1].split()[0] == "Z":
                    os.waitpid(pid, os.WNOHANG)
        except (OSError, ChildProcessError):
            pass


def clean_up(before):
    """Takes away what a failed test left, so that the next one is judged by its own deeds."""
    for pid in set(children()) - before.children:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    now = Snapshot(before.token, before.state_root, before.namespaces)
    for cgroup in sorted(now.cgroups - before.cgroups, key=len, reverse=True):
        try:
            with open(cgroup + "/cgroup.procs") as file:
                pids = [int(pid) for pid in file.read().split()]
            for name, value in (("cgroup.freeze", "0"), ("freezer.state", "THAWED")):
                if os.path.exists(f"{cgroup}/{name}"):
                    with open(f"{cgroup}/{name}", "w") as file:
                        file.write(value)
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
        except (OSError, ProcessLookupError):
            pass
    time.sleep(0.05)
    reap_children()
    for cgroup in sorted(now.cgroups - before.cgroups, key=len, reverse=True):
        try:
            os.rmdir(cgroup)
        except OSError:
            pass
    remaining = list(before.mounts)
    for mount in now.mounts:
        if mount in remaining:
            remaining.remove(mount)
        else:
            try:
                libc.umount(mount[2])
            except OSError:
                pass
    for name in now.state - before.state:
        shutil.rmtree(os.path.join(before.state_root, name), ignore_errors=True)
