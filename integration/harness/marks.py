"""Marks that tests of several subjects share."""

import pytest

from .host import cgroup_mounts, has_systemd

HAS_V1 = set(cgroup_mounts()) != {""}
#: How a container's cgroup can be had on this host: in its own hierarchies, in one cgroup2 (which is another view
#: where there is v1), and in a unit of systemd.
CGROUP_MODES = ["native"] + ["v2"] * HAS_V1 + ["systemd"] * (has_systemd() and not HAS_V1)

#: Runs a test with this host's own cgroup hierarchies, and again with a private cgroup2 view where that is another one.
both_views = pytest.mark.parametrize("view", [name for name in CGROUP_MODES if name != "systemd"], indirect=True)
#: Runs a test in one cgroup2 with nothing else beside it.
in_v2 = pytest.mark.parametrize("view", ["v2" if HAS_V1 else "native"], indirect=True)
#: As both_views, and again without any cgroup2 where there is v1.
every_hierarchy = pytest.mark.parametrize("view", ["native"] + ["v1", "v2"] * HAS_V1, indirect=True)
#: As both_views, and again in a unit of systemd where there is one.
every_mode = pytest.mark.parametrize("view", CGROUP_MODES, indirect=True)


def has_capability(number):
    """Whether this process may use capability `number` of linux/capability.h."""
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith("CapEff:"))
    return int(line.split()[1], 16) >> number & 1 == 1


needs_sys_resource = pytest.mark.skipif(
    not has_capability(24), reason="this machine has no CAP_SYS_RESOURCE: limits cannot be raised")

needs_sys_nice = pytest.mark.skipif(
    not has_capability(23), reason="this machine has no CAP_SYS_NICE: no process can be real-time")
