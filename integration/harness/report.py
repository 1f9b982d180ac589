"""What the probe saw from inside a container."""

from .host import mountinfo

CAPABILITIES = """CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT
SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE""".split()


def capability_names(mask):
    return {"CAP_" + name for number, name in enumerate(CAPABILITIES) if mask >> number & 1}


class Report:
    """The probe's document; fields are attributes, and the files in it are understood."""

    def __init__(self, document):
        self.document = document

    def __getattr__(self, name):
        try:
            return self.document[name]
        except KeyError:
            raise AttributeError(name) from None

    def file(self, path):
        """Content of a file, or its errno."""
        return self.files[path]

    @property
    def status(self):
        """/proc/self/status: name -> text."""
        lines = self.files["/proc/self/status"].splitlines()
        return {name: value.strip() for name, value in (line.split(":", 1) for line in lines)}

    def capabilities(self, set_name):
        """Names in one set: Inh, Prm, Eff, Bnd or Amb."""
        return capability_names(int(self.status["Cap" + set_name], 16))

    @property
    def mounts(self):
        return mountinfo(self.files["/proc/self/mountinfo"])

    def mount(self, point):
        """The mount on top at a mount point."""
        found = [mount for mount in self.mounts if mount["point"] == point]
        assert found, f"nothing is mounted on {point}: {[m['point'] for m in self.mounts]}"
        return found[-1]

    def has_mount(self, point):
        return any(mount["point"] == point for mount in self.mounts)

    @property
    def cgroup_lines(self):
        return [line.split(":", 2) for line in self.files["/proc/self/cgroup"].splitlines()]
