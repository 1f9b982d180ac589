"""A tree of the host that no container may change."""

import hashlib
import os
import stat


class Canary:
    """Files and directories whose metadata and content are compared before and after."""

    def __init__(self, path):
        self.path = path
        os.makedirs(os.path.join(path, "sub"))
        for name in ("file", "ptmx", "f", "sub/deep"):
            with open(os.path.join(path, name), "w") as file:
                file.write("canary " + name)
        os.chmod(os.path.join(path, "file"), 0o640)
        self.before = self.fingerprint()

    def fingerprint(self):
        lines = []
        for directory, names, files in sorted(os.walk(self.path)):
            for name in ["."] + sorted(names) + sorted(files):
                path = os.path.join(directory, name)
                info = os.lstat(path)
                content = b""
                if stat.S_ISREG(info.st_mode):
                    with open(path, "rb") as file:
                        content = file.read()
                elif stat.S_ISLNK(info.st_mode):
                    content = os.readlink(path).encode()
                lines.append((path, info.st_mode, info.st_uid, info.st_gid, info.st_ino, info.st_rdev,
                              hashlib.sha256(content).hexdigest()))
        return lines

    def check(self):
        now = self.fingerprint()
        assert now == self.before, f"the host's files changed: {set(now) ^ set(self.before)}"
