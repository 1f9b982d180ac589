"""Marks that tests of several subjects share."""

import pytest

from .host import cgroup_mounts

#: Runs a test with this host's own cgroup hierarchies, and again with a private cgroup2 view where that is another one.
both_views = pytest.mark.parametrize("view", ["native"] if set(cgroup_mounts()) == {""} else ["native", "v2"],
                                     indirect=True)


def has_capability(number):
    """Whether this process may use capability `number` of linux/capability.h."""
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith("CapEff:"))
    return int(line.split()[1], 16) >> number & 1 == 1


needs_sys_resource = pytest.mark.skipif(
    not has_capability(24), reason="this machine has no CAP_SYS_RESOURCE: limits cannot be raised")

needs_sys_nice = pytest.mark.skipif(
    not has_capability(23), reason="this machine has no CAP_SYS_NICE: no process can be real-time")
