"""Malformed configurations, each made from a good one by one change, with the text that the error has to name: a JSON
pointer, or line and column where the JSON itself is broken.

cases() gives them as {name: (bytes of config.json, expected text)}."""

import copy
import json
import os
import re

BASE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../bundles/docker-default.json")
HUGE = 10**30
RAW = "@raw@"  # stands in the document for JSON text that Python's json cannot write

WITH_USER_NAMESPACE = [{"type": kind} for kind in ("mount", "network", "uts", "pid", "ipc", "user")]
ONE_MAPPING = [{"containerID": 0, "hostID": 100000, "size": 65536}]


def steps(pointer):
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def put(pointer, value):
    """The change that sets (or, in an array, appends) the value at the pointer."""

    def change(config):
        *way, last = steps(pointer)
        place = config
        for step in way:
            place = place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
        if isinstance(place, list):
            index = int(last)
            place[index : index + 1] = [copy.deepcopy(value)]
        else:
            place[last] = copy.deepcopy(value)

    return change


def remove(pointer):
    def change(config):
        *way, last = steps(pointer)
        place = config
        for step in way:
            place = place[int(step)] if isinstance(place, list) else place[step]
        del place[int(last) if isinstance(place, list) else last]

    return change


def both(*changes):
    def change(config):
        for one in changes:
            one(config)

    return change


def user_namespace(*changes):
    return both(
        put("/linux/namespaces", WITH_USER_NAMESPACE),
        put("/linux/uidMappings", ONE_MAPPING),
        put("/linux/gidMappings", ONE_MAPPING),
        *changes,
    )


def broken_text(good):
    """Documents that are no JSON, or not safely JSON."""
    lines = good.decode().rstrip().split("\n")
    nested = "[" * 100_000 + "]" * 100_000
    return {
        "empty file": (b"", "line 1"),
        "white space only": (b" \n\t\n", "line 1"),
        "only an opening brace": (b"{", "line 1, column 1"),
        "cut short at a tenth": (good[: len(good) // 10], "line "),
        "cut short at a third": (good[: len(good) // 3], "line "),
        "cut short at two thirds": (good[: len(good) * 2 // 3], "line "),
        "cut short before the last brace": (good.rstrip()[:-1].rstrip(), f"line {len(lines) - 1}, "),
        "cut short in a string": (b'{"ociVersion": "1.0', "line 1, column 19, at /ociVersion"),
        "cut short in an escape": (b'{"ociVersion": "1.0\\u00', "/ociVersion"),
        "cut short in a word": (b'{"process": {"terminal": tru', "/process/terminal"),
        "cut short after a comma": (b'{"ociVersion": "1.0.2",', "line 1, column 23"),
        "a comma too many": (good.rstrip()[:-1].rstrip() + b",}", "line "),
        "a comma too few": (b'{"ociVersion": "1.0.2" "root": {}}', "line 1, column 29"),
        "a bracket for a brace": (b'{"mounts": []]', "line 1, column 14"),
        "text behind the document": (good + b"{}", "line "),
        "two documents": (good + good, "line "),
        "a comment": (b"// no\n" + good, "line 1"),
        "single quotes": (b"{'ociVersion': '1.0.2'}", "line 1, column 2"),
        "a name without quotes": (b'{ociVersion: "1.0.2"}', "line 1, column 2"),
        "NaN": (b'{"process": {"oomScoreAdj": NaN}}', "/process/oomScoreAdj"),
        "a number with a leading zero": (b'{"process": {"oomScoreAdj": 010}}', "line 1, column 31"),
        "a number in hexadecimal": (b'{"process": {"oomScoreAdj": 0x10}}', "line 1, column 30"),
        "a newline in a string": (b'{"ociVersion": "1.0\n.2"}', "/ociVersion"),
        "a tab in a string": (b'{"ociVersion": "1.0\t.2"}', "/ociVersion"),
        "half a surrogate pair": (b'{"hostname": "\\ud800"}', "/hostname"),
        "bytes that are no UTF-8": (b'{"hostname": "\xff\xfe"}', "/hostname"),
        "UTF-16": (good.decode().encode("utf-16"), "line 1"),
        "a NUL byte in a string": (good.replace(b"docker", b"doc\0ker", 1), "NUL"),
        "a NUL byte behind the document": (good + b"\0", "NUL"),
        "NUL bytes only, as a torn file has them": (b"\0" * 4096, "line 1, column 1"),
        "an ELF file": (b"\x7fELF\x02\x01\x01", "line 1"),
        "deep nesting of arrays": (nested.encode(), "nesting"),
        "deep nesting that is never closed": (b"[" * 1_000_000, "nesting"),
        "deep nesting of objects": (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "/a/a/a"),
        "a property twice": (b'{"ociVersion": "1.0.2", "ociVersion": "1.0.2"}', "/ociVersion: got the property twice"),
        "a property twice, deep": (b'{"process": {"user": {"uid": 0, "uid": 1}}}', "/process/user/uid"),
        "1e400": (b'{"process": {"oomScoreAdj": 1e400}}', "/process/oomScoreAdj"),
        "an array for the document": (b"[]", "the document: got an array"),
        "null for the document": (b"null", "the document: got null"),
        "a string for the document": (b'"config"', 'the document: got "config"'),
        "an empty object": (b"{}", "/ociVersion"),
    }


# name: (change, expected text)
WRONG_TYPES = {
    "ociVersion is a number": (put("/ociVersion", 1), "/ociVersion: got 1"),
    "ociVersion is null": (put("/ociVersion", None), "/ociVersion: got null"),
    "process is a string": (put("/process", "sh"), "/process: got"),
    "process is an array": (put("/process", ["sh"]), "/process: got an array"),
    "args is a string": (put("/process/args", "sh"), "/process/args: got"),
    "an argument is a number": (put("/process/args", ["sleep", 5]), "/process/args/1: got 5"),
    "an argument is null": (put("/process/args", ["sleep", None]), "/process/args/1: got null"),
    "env is an object": (put("/process/env", {"A": "b"}), "/process/env: got an object"),
    "terminal is a string": (put("/process/terminal", "true"), "/process/terminal: got"),
    "terminal is a number": (put("/process/terminal", 1), "/process/terminal: got 1"),
    "uid is a string": (put("/process/user/uid", "0"), "/process/user/uid: got"),
    "uid has a fraction": (put("/process/user/uid", 1.5), "/process/user/uid: got 1.5"),
    "uid is a bool": (put("/process/user/uid", True), "/process/user/uid: got true"),
    "capabilities are an array": (put("/process/capabilities", ["CAP_KILL"]), "/process/capabilities: got an array"),
    "rlimits are an object": (put("/process/rlimits", {}), "/process/rlimits: got an object"),
    "root is a string": (put("/root", "rootfs"), "/root: got"),
    "root.readonly is a number": (put("/root/readonly", 0), "/root/readonly: got 0"),
    "mounts are an object": (put("/mounts", {}), "/mounts: got an object"),
    "a mount is a string": (put("/mounts/0", "/proc"), "/mounts/0: got"),
    "mount options are a string": (put("/mounts/1/options", "ro"), "/mounts/1/options: got"),
    "a mount option is a number": (put("/mounts/1/options", ["ro", 7]), "/mounts/1/options/1: got 7"),
    "hostname is an array": (put("/hostname", []), "/hostname: got an array"),
    "annotations are an array": (put("/annotations", []), "/annotations: got an array"),
    "an annotation is a number": (put("/annotations/a~1b", 1), "/annotations/a~1b: got 1"),
    "hooks are an array": (put("/hooks", []), "/hooks: got an array"),
    "a hook is a string": (put("/hooks/poststop", ["/bin/true"]), "/hooks/poststop/0: got"),
    "linux is null-like text": (put("/linux", "null"), "/linux: got"),
    "namespaces are an object": (put("/linux/namespaces", {"pid": ""}), "/linux/namespaces: got an object"),
    "a namespace is a string": (put("/linux/namespaces/1", "pid"), "/linux/namespaces/1: got"),
    "sysctl value is a number": (put("/linux/sysctl", {"net.core.somaxconn": 1}), "/linux/sysctl/net.core.somaxconn"),
    "maskedPaths holds a number": (put("/linux/maskedPaths", ["/proc/kcore", 1]), "/linux/maskedPaths/1: got 1"),
    "resources are an array": (put("/linux/resources", []), "/linux/resources: got an array"),
    "memory is a number": (put("/linux/resources/memory", 1), "/linux/resources/memory: got 1"),
    "memory limit is text": (put("/linux/resources/memory/limit", "64M"), "/linux/resources/memory/limit: got"),
    "device rule allow is text": (put("/linux/resources/devices/0/allow", "no"), "/linux/resources/devices/0/allow"),
    "unified value is a number": (put("/linux/resources/unified", {"memory.high": 1}), "/linux/resources/unified/memory.high"),
    "seccomp is a string": (put("/linux/seccomp", "default"), "/linux/seccomp: got"),
    "seccomp names are a string": (put("/linux/seccomp/syscalls/0/names", "read"), "/linux/seccomp/syscalls/0/names"),
    "netDevices name is a number": (put("/linux/netDevices", {"eth0": {"name": 23}}), "/linux/netDevices/eth0/name"),
    "rdma handles are text": (put("/linux/resources/rdma", {"mlx": {"hcaHandles": "9"}}), "/linux/resources/rdma/mlx"),
}

MISSING = {
    "no ociVersion": (remove("/ociVersion"), "/ociVersion: got nothing"),
    "no process": (remove("/process"), "/process: got nothing"),
    "no root": (remove("/root"), "/root: got nothing"),
    "root is null": (put("/root", None), "/root: got nothing"),
    "no root path": (remove("/root/path"), "/root/path: got nothing"),
    "no cwd": (remove("/process/cwd"), "/process/cwd: got nothing"),
    "no args": (remove("/process/args"), "/process/args: got"),
    "no mount destination": (remove("/mounts/2/destination"), "/mounts/2/destination: got nothing"),
    "no mount type": (remove("/mounts/1/type"), "/mounts/1/type: got nothing"),
    "no bind source": (remove("/mounts/7/source"), "/mounts/7/source: got nothing"),
    "no namespace type": (put("/linux/namespaces/0", {}), "/linux/namespaces/0/type: got nothing"),
    "no rlimit hard": (put("/process/rlimits", [{"type": "RLIMIT_CORE", "soft": 0}]), "/process/rlimits/0/hard"),
    "no default action": (remove("/linux/seccomp/defaultAction"), "/linux/seccomp/defaultAction: got nothing"),
    "no seccomp names": (remove("/linux/seccomp/syscalls/1/names"), "/linux/seccomp/syscalls/1/names: got nothing"),
    "no hook path": (put("/hooks/prestart", [{"args": ["a"]}]), "/hooks/prestart/0/path: got nothing"),
    "no device major": (put("/linux/devices", [{"type": "c", "path": "/dev/a", "minor": 1}]), "/linux/devices/0/major"),
    "no mapping size": (
        user_namespace(put("/linux/uidMappings", [{"containerID": 0, "hostID": 1}])),
        "/linux/uidMappings/0/size: got nothing",
    ),
    "no scheduler policy": (put("/process/scheduler", {"nice": 1}), "/process/scheduler/policy: got nothing"),
    "no io class": (put("/process/ioPriority", {"priority": 1}), "/process/ioPriority/class: got nothing"),
    "no device access": (put("/linux/resources/devices", [{"allow": True}]), "/linux/resources/devices/0/access"),
}

OUT_OF_RANGE = {
    "uid is -1": (put("/process/user/uid", -1), "/process/user/uid: got -1"),
    "uid is 2^32-1": (put("/process/user/uid", 2**32 - 1), "/process/user/uid: got 4294967295"),
    "gid is 2^32": (put("/process/user/gid", 2**32), "/process/user/gid: got 4294967296"),
    "gid is 2^64": (put("/process/user/gid", 2**64), "/process/user/gid: got 18446744073709551616"),
    "an additional gid is -5": (put("/process/user/additionalGids", [0, -5]), "/process/user/additionalGids/1"),
    "umask is 01000": (put("/process/user/umask", 0o1000), "/process/user/umask: got 512"),
    "oomScoreAdj is 1001": (put("/process/oomScoreAdj", 1001), "/process/oomScoreAdj: got 1001"),
    "oomScoreAdj is -1001": (put("/process/oomScoreAdj", -1001), "/process/oomScoreAdj: got -1001"),
    "oomScoreAdj is huge": (put("/process/oomScoreAdj", HUGE), "/process/oomScoreAdj: got 1000"),
    "rlimit is -1": (
        put("/process/rlimits", [{"type": "RLIMIT_CORE", "soft": -1, "hard": -1}]),
        "/process/rlimits/0/soft: got -1",
    ),
    "rlimit soft over hard": (
        put("/process/rlimits", [{"type": "RLIMIT_CORE", "soft": 2, "hard": 1}]),
        "/process/rlimits/0/soft: got 2",
    ),
    "console too high": (
        both(put("/process/terminal", True), put("/process/consoleSize", {"height": 70000, "width": 80})),
        "/process/consoleSize/height: got 70000",
    ),
    "nice is 20": (put("/process/scheduler", {"policy": "SCHED_OTHER", "nice": 20}), "/process/scheduler/nice: got 20"),
    "priority 0 with SCHED_FIFO": (put("/process/scheduler", {"policy": "SCHED_FIFO"}), "/process/scheduler/priority"),
    "runtime over period": (
        put("/process/scheduler", {"policy": "SCHED_DEADLINE", "runtime": 9000, "deadline": 5000, "period": 9000}),
        "/process/scheduler/deadline: got 5000",
    ),
    "io priority is 8": (
        put("/process/ioPriority", {"class": "IOPRIO_CLASS_BE", "priority": 8}),
        "/process/ioPriority/priority: got 8",
    ),
    "memory limit is -2": (put("/linux/resources/memory/limit", -2), "/linux/resources/memory/limit: got -2"),
    "memory limit is 2^63": (put("/linux/resources/memory/limit", 2**63), "/linux/resources/memory/limit: got"),
    "memory limit is 1e9": (put("/linux/resources/memory/limit", RAW + "1e9"), "/linux/resources/memory/limit: got 1e9"),
    "swap under limit": (
        put("/linux/resources/memory", {"limit": 1 << 20, "swap": 1 << 19}),
        "/linux/resources/memory/swap: got 524288",
    ),
    "swappiness is 101": (put("/linux/resources/memory/swappiness", 101), "/linux/resources/memory/swappiness: got 101"),
    "cpu period is 10": (put("/linux/resources/cpu/period", 10), "/linux/resources/cpu/period: got 10"),
    "cpu quota is 5": (put("/linux/resources/cpu/quota", 5), "/linux/resources/cpu/quota: got 5"),
    "cpu shares are negative": (put("/linux/resources/cpu/shares", -1), "/linux/resources/cpu/shares: got -1"),
    "cpu idle is 2": (put("/linux/resources/cpu/idle", 2), "/linux/resources/cpu/idle: got 2"),
    "cpus from 3 to 1": (put("/linux/resources/cpu/cpus", "3-1"), "/linux/resources/cpu/cpus: got"),
    "blkio weight is 5": (put("/linux/resources/blockIO/weight", 5), "/linux/resources/blockIO/weight: got 5"),
    "blkio weight is 70000": (put("/linux/resources/blockIO/weight", 70000), "/linux/resources/blockIO/weight: got 70000"),
    "pids limit is 2^63": (put("/linux/resources/pids", {"limit": 2**63}), "/linux/resources/pids/limit: got"),
    "device major is 4096": (
        put("/linux/devices", [{"type": "c", "path": "/dev/a", "major": 4096, "minor": 1}]),
        "/linux/devices/0/major: got 4096",
    ),
    "device file mode is 2^20": (
        put("/linux/devices", [{"type": "p", "path": "/dev/a", "fileMode": 1 << 20}]),
        "/linux/devices/0/fileMode: got 1048576",
    ),
    "class id is 2^32": (put("/linux/resources/network", {"classID": 2**32}), "/linux/resources/network/classID"),
    "errnoRet is 4096": (put("/linux/seccomp/defaultErrnoRet", 4096), "/linux/seccomp/defaultErrnoRet: got 4096"),
    "seccomp argument 6": (
        put("/linux/seccomp/syscalls/2/args/0/index", 6),
        "/linux/seccomp/syscalls/2/args/0/index: got 6",
    ),
    "hook timeout is 0": (
        put("/hooks/poststop", [{"path": "/bin/true", "timeout": 0}]),
        "/hooks/poststop/0/timeout: got 0",
    ),
    "hook timeout is -1": (
        put("/hooks/poststop", [{"path": "/bin/true", "timeout": -1}]),
        "/hooks/poststop/0/timeout: got -1",
    ),
    "mapping of size 0": (
        user_namespace(put("/linux/gidMappings", [{"containerID": 0, "hostID": 1, "size": 0}])),
        "/linux/gidMappings/0/size: got 0",
    ),
    "mapping beyond the last id": (
        user_namespace(put("/linux/uidMappings", [{"containerID": 0, "hostID": 4294967290, "size": 100}])),
        "/linux/uidMappings/0/size: got 100",
    ),
    "nanoseconds are 10^9": (
        both(
            put("/linux/namespaces/5", {"type": "time"}),
            put("/linux/timeOffsets", {"boottime": {"secs": 1, "nanosecs": 10**9}}),
        ),
        "/linux/timeOffsets/boottime/nanosecs: got 1000000000",
    ),
}

NOT_ALLOWED = {
    "ociVersion of another major": (put("/ociVersion", "2.0.0"), "/ociVersion: got"),
    "ociVersion is no version": (put("/ociVersion", "latest"), "/ociVersion: got"),
    "args are empty": (put("/process/args", []), "/process/args: got"),
    "the program is an empty string": (put("/process/args", [""]), "/process/args/0: got"),
    "cwd is relative": (put("/process/cwd", "tmp"), "/process/cwd: got"),
    "cwd is empty": (put("/process/cwd", ""), "/process/cwd: got"),
    "root path is empty": (put("/root/path", ""), "/root/path: got"),
    "NUL in an argument": (put("/process/args", ["a\0b"]), "/process/args/0: got"),
    "NUL in the environment": (put("/process/env", ["A=1\0"]), "/process/env/0: got"),
    "NUL in the root path": (put("/root/path", "root\0fs"), "/root/path: got"),
    "NUL in an annotation's name": (put("/annotations", {"a\0": "b"}), "/annotations/a"),
    "annotation without a name": (put("/annotations", {"": "b"}), "/annotations/"),
    "unknown namespace": (put("/linux/namespaces/0", {"type": "disk"}), "/linux/namespaces/0/type: got"),
    "namespace twice": (put("/linux/namespaces/5", {"type": "pid"}), "/linux/namespaces/5/type: got"),
    "namespace path is relative": (
        put("/linux/namespaces/0", {"type": "mount", "path": "proc/1/ns/mnt"}),
        "/linux/namespaces/0/path: got",
    ),
    "mounts without a mount namespace": (put("/linux/namespaces", [{"type": "uts"}, {"type": "network"}]), "/mounts: got"),
    "hostname without a uts namespace": (
        put("/linux/namespaces", [{"type": "mount"}, {"type": "network"}]),
        "/hostname: got",
    ),
    "hostname of 65 bytes": (put("/hostname", "h" * 65), "/hostname: got"),
    "domainname without a uts namespace": (
        both(remove("/hostname"), put("/domainname", "d"), put("/linux/namespaces", [{"type": "mount"}, {"type": "network"}])),
        "/domainname: got",
    ),
    "user namespace without mappings": (put("/linux/namespaces", WITH_USER_NAMESPACE), "/linux/uidMappings: got nothing"),
    "mappings without a user namespace": (put("/linux/uidMappings", ONE_MAPPING), "/linux/uidMappings: got"),
    "mappings that overlap": (
        user_namespace(put("/linux/uidMappings", ONE_MAPPING + [{"containerID": 10, "hostID": 1, "size": 1}])),
        "/linux/uidMappings/1: got",
    ),
    "uid that is not mapped": (user_namespace(put("/process/user/uid", 70000)), "/process/user/uid: got 70000"),
    "time offset without a time namespace": (
        put("/linux/timeOffsets", {"monotonic": {"secs": 1}}),
        "/linux/timeOffsets/monotonic: got",
    ),
    "time offset of another clock": (put("/linux/timeOffsets", {"realtime": {}}), "/linux/timeOffsets/realtime: got"),
    "mount destination is empty": (put("/mounts/0/destination", ""), "/mounts/0/destination: got"),
    "mount on the root": (put("/mounts/1/destination", "/dev/.."), "/mounts/1/destination: got"),
    "file system option on a bind mount": (put("/mounts/7/options", ["rbind", "size=1"]), "/mounts/7/options/1: got"),
    "file system option on a remount with bind": (put("/mounts/1/options", ["remount", "bind", "size=1"]),
                                                  "/mounts/1/options/2: got"),
    "idmap without mappings": (put("/mounts/7/options", ["rbind", "idmap"]), "/mounts/7/options: got"),
    "idmap with half a mapping": (put("/mounts/7/options", ["rbind", "idmap=uids=0-1-1"]), "/mounts/7/options/1: got"),
    "an empty mount option": (put("/mounts/1/options", ["nosuid", ""]), "/mounts/1/options/1: got"),
    "mount option without a name": (put("/mounts/1/options", ["=755"]), "/mounts/1/options/0: got"),
    "tmpcopyup on proc": (put("/mounts/0/options", ["tmpcopyup"]), "/mounts/0/options: got"),
    "half a mapping on a mount": (put("/mounts/7/uidMappings", ONE_MAPPING), "/mounts/7/gidMappings: got"),
    "masked path is relative": (put("/linux/maskedPaths/0", "proc/kcore"), "/linux/maskedPaths/0: got"),
    "masked path is the root": (put("/linux/maskedPaths/0", "/"), "/linux/maskedPaths/0: got"),
    "read-only path is relative": (put("/linux/readonlyPaths/1", "../etc"), "/linux/readonlyPaths/1: got"),
    "unknown propagation": (put("/linux/rootfsPropagation", "everything"), "/linux/rootfsPropagation: got"),
    "unknown rlimit": (
        put("/process/rlimits", [{"type": "RLIMIT_FUN", "soft": 1, "hard": 1}]),
        "/process/rlimits/0/type: got",
    ),
    "rlimit twice": (
        put("/process/rlimits", [{"type": "RLIMIT_CORE", "soft": 1, "hard": 1}] * 2),
        "/process/rlimits/1/type: got",
    ),
    "unknown scheduler policy": (put("/process/scheduler", {"policy": "SCHED_FAST"}), "/process/scheduler/policy: got"),
    "unknown scheduler flag": (
        put("/process/scheduler", {"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_X"]}),
        "/process/scheduler/flags/0: got",
    ),
    "unknown io class": (put("/process/ioPriority", {"class": "IOPRIO_CLASS_X"}), "/process/ioPriority/class: got"),
    "unknown personality": (put("/linux/personality", {"domain": "BSD"}), "/linux/personality/domain: got"),
    "personality flag": (
        put("/linux/personality", {"domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"]}),
        "/linux/personality/flags: got",
    ),
    "unknown memory policy": (put("/linux/memoryPolicy", {"mode": "MPOL_ALL"}), "/linux/memoryPolicy/mode: got"),
    "memory policy without nodes": (put("/linux/memoryPolicy", {"mode": "MPOL_BIND"}), "/linux/memoryPolicy/nodes: got"),
    "affinity is no list": (put("/process/execCPUAffinity", {"initial": "all"}), "/process/execCPUAffinity/initial: got"),
    "device path is relative": (
        put("/linux/devices", [{"type": "c", "path": "dev/a", "major": 1, "minor": 3}]),
        "/linux/devices/0/path: got",
    ),
    "unknown device type": (put("/linux/devices", [{"type": "x", "path": "/dev/a"}]), "/linux/devices/0/type: got"),
    "two devices at one path": (
        put(
            "/linux/devices",
            [{"type": "c", "path": "/dev/a", "major": 1, "minor": minor} for minor in (3, 5)],
        ),
        "/linux/devices/1/path: got",
    ),
    "cgroupsPath with ..": (put("/linux/cgroupsPath", "/a/../../b"), "/linux/cgroupsPath: got"),
    "device rule of an unknown type": (put("/linux/resources/devices/1/type", "z"), "/linux/resources/devices/1/type: got"),
    "device rule with unknown access": (
        put("/linux/resources/devices/1/access", "rwx"),
        "/linux/resources/devices/1/access: got",
    ),
    "unified file with a slash": (
        put("/linux/resources/unified", {"../memory.max": "1"}),
        "/linux/resources/unified/..~1memory.max: got",
    ),
    "page size in small letters": (
        put("/linux/resources/hugepageLimits", [{"pageSize": "64kB", "limit": 1}]),
        "/linux/resources/hugepageLimits/0/pageSize: got",
    ),
    "sysctl of the whole kernel": (put("/linux/sysctl", {"kernel.panic": "1"}), "/linux/sysctl/kernel.panic: got"),
    "sysctl kernel.hostname": (put("/linux/sysctl", {"kernel.hostname": "a"}), "/linux/sysctl/kernel.hostname: got"),
    "sysctl with ..": (put("/linux/sysctl", {"net/../kernel/panic": "1"}), "/linux/sysctl/net~1..~1kernel~1panic: got"),
    "net sysctl without a network namespace": (
        both(put("/linux/namespaces", [{"type": "mount"}, {"type": "uts"}])),
        "/linux/sysctl/net.ipv4.ip_unprivileged_port_start: got",
    ),
    "user sysctl without a user namespace": (
        put("/linux/sysctl", {"user.max_user_namespaces": "1"}),
        "/linux/sysctl/user.max_user_namespaces: got",
    ),
    "unknown default action": (put("/linux/seccomp/defaultAction", "SCMP_ACT_NO"), "/linux/seccomp/defaultAction: got"),
    "NOTIFY without a listener": (
        put("/linux/seccomp/syscalls/1", {"names": ["write"], "action": "SCMP_ACT_NOTIFY"}),
        "/linux/seccomp/listenerPath: got nothing",
    ),
    "unknown action": (put("/linux/seccomp/syscalls/3/action", "ALLOW"), "/linux/seccomp/syscalls/3/action: got"),
    "errnoRet of an allowed call": (put("/linux/seccomp/syscalls/1/errnoRet", 1), "/linux/seccomp/syscalls/1/errnoRet: got"),
    "rule without names": (put("/linux/seccomp/syscalls/1/names", []), "/linux/seccomp/syscalls/1/names: got"),
    "unknown operator": (
        put("/linux/seccomp/syscalls/2/args/0/op", "=="),
        "/linux/seccomp/syscalls/2/args/0/op: got",
    ),
    "unknown architecture": (put("/linux/seccomp/architectures/1", "x86"), "/linux/seccomp/architectures/1: got"),
    "unknown seccomp flag": (put("/linux/seccomp/flags", ["LOG"]), "/linux/seccomp/flags/0: got"),
    "listener path": (put("/linux/seccomp/listenerPath", "run/s.sock"), "/linux/seccomp/listenerPath: got"),
    "listener metadata": (put("/linux/seccomp/listenerMetadata", "m"), "/linux/seccomp/listenerMetadata: got"),
    "hook path is relative": (put("/hooks/createRuntime", [{"path": "hook"}]), "/hooks/createRuntime/0/path: got"),
    "hook path is empty": (put("/hooks/startContainer", [{"path": ""}]), "/hooks/startContainer/0/path: got"),
    "intelRdt class outside of resctrl": (put("/linux/intelRdt", {"closID": "../a"}), "/linux/intelRdt/closID: got"),
    "netDevices with a path": (put("/linux/netDevices", {"eth0": {"name": "a/b"}}), "/linux/netDevices/eth0/name: got"),
    "a configuration for FreeBSD": (both(remove("/linux"), put("/freebsd", {})), "/freebsd: got"),
    "a configuration for Windows": (both(remove("/linux"), put("/windows", {"layerFolders": []})), "/windows: got"),
    "a very long value": (put("/process/cwd", "x" * 1_000_000), "/process/cwd: got"),
    "twenty errors": (put("/process/args", list(range(20))), "/process/args/7: got 7"),
}


def changed(base, change):
    config = copy.deepcopy(base)
    change(config)
    return re.sub(f'"{RAW}([^"]*)"', r"\1", json.dumps(config, indent=1)).encode()


def cases():
    with open(BASE, "rb") as file:
        good = file.read()
    base = json.loads(good)
    result = dict(broken_text(good))
    for table in (WRONG_TYPES, MISSING, OUT_OF_RANGE, NOT_ALLOWED):
        for name, (change, expected) in table.items():
            assert name not in result, name
            result[name] = (changed(base, change), expected)
    return result
