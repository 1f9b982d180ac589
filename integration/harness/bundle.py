"""Bundles: a small good configuration that tests change, and a root file system with the probe in it."""

import copy
import json
import os
import shutil

DIRECTORIES = ("dev", "etc", "proc", "run", "sys", "tmp", "place")
NAMESPACES = ("pid", "network", "ipc", "uts", "mount")
SOME_CAPABILITIES = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]


def base_config(cgroups_path):
    """A configuration that every runtime runs: the probe reports what it sees."""
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": ["/probe", "report"],
            "env": ["PATH=/usr/bin:/bin:/", "TERM=xterm"],
            "cwd": "/",
            "capabilities": {name: list(SOME_CAPABILITIES) for name in ("bounding", "effective", "permitted")},
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": False},
        "hostname": "berth-test",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
             "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
            {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
             "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs",
             "options": ["nosuid", "noexec", "nodev", "ro"]},
        ],
        "linux": {
            "cgroupsPath": cgroups_path,
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "namespaces": [{"type": kind} for kind in NAMESPACES],
        },
    }


class Bundle:
    def __init__(self, path, config):
        self.path, self.config = path, config
        self.rootfs = os.path.join(path, "rootfs")

    def write(self, text=None):
        """Writes config.json: the configuration, or exactly `text`."""
        mode = "wb" if isinstance(text, bytes) else "w"
        with open(os.path.join(self.path, "config.json"), mode) as file:
            file.write(json.dumps(self.config) if text is None else text)

    def file(self, name, content="", mode=0o644):
        """A file in the bundle (not in its root file system); gives its path."""
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb" if isinstance(content, bytes) else "w") as file:
            file.write(content)
        os.chmod(path, mode)
        return path

    def busybox(self, binary, *applets):
        """Adds a shell and friends to the root file system."""
        os.makedirs(os.path.join(self.rootfs, "bin"), exist_ok=True)
        for name in ("busybox", "sh", *applets):
            shutil.copy(binary, os.path.join(self.rootfs, "bin", name))


class BundleFactory:
    """`bundle("exit", 3)` runs `/probe exit 3`; functions given as `change` alter the configuration before it is
    written; `args` replaces the whole command."""

    def __init__(self, directory, token, probe, busybox):
        self.directory, self.token = directory, token
        self.cgroups_path = lambda name: "/" + name  #: from the container's name; the view of a test sets it
        self.probe = self._template("probe", probe)
        self.busybox = self._template("busybox", busybox) if busybox else None
        self.count = 0

    def _template(self, name, source):
        """A copy that rootfs can hard-link."""
        copied = os.path.join(self.directory, "template-" + name)
        shutil.copy(source, copied)
        os.chmod(copied, 0o755)
        return copied

    def new_id(self):
        self.count += 1
        return f"{self.token}-{self.count}"

    def __call__(self, *probe_args, change=None, args=None, config=None, write=True):
        name = self.new_id()
        path = os.path.join(self.directory, "bundle-" + name)
        for directory in DIRECTORIES:
            os.makedirs(os.path.join(path, "rootfs", directory))
        os.link(self.probe, os.path.join(path, "rootfs", "probe"))
        made = Bundle(path, copy.deepcopy(config) if config else base_config(self.cgroups_path(name)))
        if probe_args:
            made.config["process"]["args"] = ["/probe", *map(str, probe_args)]
        if args is not None:
            made.config["process"]["args"] = list(args)
        if change:
            change(made.config)
        if write:
            made.write()
        return made
