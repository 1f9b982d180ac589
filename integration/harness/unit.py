"""Units of systemd, as systemctl shows them."""

import subprocess


def show(unit, *names, command=("systemctl",)):
    """The unit's properties as `systemctl show` prints them."""
    out = subprocess.run([*command, "show", unit, *("-p" + name for name in names)], stdout=subprocess.PIPE, text=True,
                         check=True).stdout
    found = dict(line.split("=", 1) for line in out.splitlines())
    return [found[name] for name in names]


def units(pattern):
    """The names of the units that systemd knows, whatever their state."""
    out = subprocess.run(["systemctl", "list-units", "--all", "--plain", "--no-legend", pattern], stdout=subprocess.PIPE,
                         text=True, check=True).stdout
    return [line.split()[0] for line in out.splitlines()]


def scope_of(cgroups_path):
    """The unit of a container with this /linux/cgroupsPath."""
    return "-".join(cgroups_path.split(":")[1:]) + ".scope"
