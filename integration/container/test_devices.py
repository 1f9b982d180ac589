"""/dev: default devices and links, linux.devices, and what the device rules let through."""

import errno
import os

import pytest

from harness.marks import both_views

DEFAULTS = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
         "ptmx": "pts/ptmx"}


# The device of these tests is 1:11, /dev/kmsg: every machine has it and no runtime allows it unasked. Opening it needs
# CAP_SYSLOG. Making a node alone may be allowed for every number, as runc does: what counts is the open.
KMSG = "mknod-open:/tmp/kmsg,c,1,11"
MEM = "mknod-open:/tmp/mem,c,1,1"
DISK = "mknod-open:/tmp/disk,b,254,0"


def all_capabilities(config):
    config["process"]["capabilities"] = {name: ["CAP_MKNOD", "CAP_DAC_OVERRIDE", "CAP_SYSLOG"]
                                         for name in ("bounding", "effective", "permitted")}


def device(path, type="c", major=1, minor=3, **more):
    return {"path": path, "type": type, "major": major, "minor": minor, **more}


def devices(*entries):
    def change(config):
        config["linux"]["devices"] = list(entries)
    return change


def entry(listing, name):
    return next(value for path, value in listing[name].items())


def test_default_devices_and_links(report):
    listing = report("--list", "/dev").lists["/dev"]
    for name, (major, minor) in DEFAULTS.items():
        found = entry(listing, name)
        assert (found["type"], found["major"], found["minor"]) == ("char", major, minor), name
        assert found["mode"] == 0o666, name
        assert (found["uid"], found["gid"]) == (0, 0), name
    for name, target in LINKS.items():
        assert entry(listing, name)["target"] == target
    assert set(listing) <= {*DEFAULTS, *LINKS, "pts", "shm", "mqueue", "console", "core"}


def test_no_console_without_a_terminal(report):
    assert "console" not in report("--list", "/dev").lists["/dev"]


def test_default_devices_ignore_the_umask(report):
    listing = report("--list", "/dev", preexec=lambda: os.umask(0o777)).lists["/dev"]
    assert entry(listing, "null")["mode"] == 0o666


@both_views
def test_default_devices_work(report):
    seen = report(*[arg for name in ("null", "zero", "full", "random", "urandom") for arg in ("--try", f"read:/dev/{name}")],
                  "--try", "write:/dev/null", "--try", "read:/dev/ptmx")
    assert set(seen.tries.values()) == {0}


def test_devices_of_the_configuration(report):
    seen = report("--list", "/dev", "--stat", "/dev/sub/fuse", "--stat", "/dev/pipe",
                  change=devices(device("/dev/mine", minor=5, fileMode=0o640, uid=3, gid=4),
                                 device("/dev/sub/fuse", major=10, minor=229),
                                 {"path": "/dev/pipe", "type": "p", "fileMode": 0o600},
                                 device("/dev/blk", "b", 7, 1, fileMode=0o600)))
    found = entry(seen.lists["/dev"], "mine")
    assert (found["type"], found["major"], found["minor"], found["mode"]) == ("char", 1, 5, 0o640)
    assert (found["uid"], found["gid"]) == (3, 4)
    found = seen.stats["/dev/sub/fuse"]
    assert (found["type"], found["major"], found["minor"]) == ("char", 10, 229)
    assert seen.stats["/dev/pipe"]["type"] == "fifo"
    assert entry(seen.lists["/dev"], "blk")["type"] == "block"


def test_device_without_a_dev_mount(bundle, container):
    """The nodes go into the root file system itself."""
    made = bundle("report", "--stat", "/dev/null", "--stat", "/dev/mine",
                  change=lambda config: (devices(device("/dev/mine", minor=7))(config), config.update(
                      mounts=[m for m in config["mounts"] if not m["destination"].startswith("/dev")])))
    with container(made) as box:
        seen = box.run().report
    assert (seen.stats["/dev/null"]["major"], seen.stats["/dev/null"]["minor"]) == (1, 3)
    assert (seen.stats["/dev/mine"]["major"], seen.stats["/dev/mine"]["minor"]) == (1, 7)


@both_views
def test_rules_deny_what_is_not_allowed(report):
    """CAP_MKNOD alone opens no device of the host (GHSA-g54h-m393-cpwq)."""
    seen = report("--try", KMSG, "--try", MEM, "--try", DISK, "--try", "mknod-open:/tmp/sda,b,8,0", change=all_capabilities)
    assert set(seen.tries.values()) == {errno.EPERM}, seen.tries


@both_views
def test_no_rules_at_all_deny_too(report):
    def change(config):
        all_capabilities(config)
        del config["linux"]["resources"]

    seen = report("--try", DISK, "--try", "read:/dev/null", change=change)
    assert seen.tries == {DISK: errno.EPERM, "read:/dev/null": 0}


def rules(*rules, replace=False):
    def change(config):
        all_capabilities(config)
        resources = config["linux"]["resources"]
        resources["devices"] = list(rules) if replace else resources["devices"] + list(rules)
    return change


def allow(type=None, major=None, minor=None, access="rwm", allow=True):
    made = {"allow": allow, "type": type, "major": major, "minor": minor, "access": access}
    return {name: value for name, value in made.items() if value is not None}


@both_views
def test_a_rule_allows_one_device(report):
    seen = report("--try", KMSG, "--try", MEM, change=rules(allow("c", 1, 11)))
    assert seen.tries == {KMSG: 0, MEM: errno.EPERM}


@both_views
@pytest.mark.parametrize("access, read, write", [("r", 0, errno.EPERM), ("rw", 0, 0), ("rwm", 0, 0), ("w", errno.EPERM, 0)])
def test_access_letters(report, access, read, write):
    def change(config):
        rules(allow("c", 1, 11, access))(config)
        config["linux"]["devices"] = [device("/dev/mine", major=1, minor=11, fileMode=0o666)]

    seen = report("--try", "read:/dev/mine", "--try", "write:/dev/mine", change=change)
    assert seen.tries == {"read:/dev/mine": read, "write:/dev/mine": write}


@both_views
def test_wildcard_numbers(report):
    seen = report("--try", KMSG, "--try", "mknod-open:/tmp/b,b,1,11", "--try", DISK, change=rules(allow("c", 1)))
    assert seen.tries == {KMSG: 0, "mknod-open:/tmp/b,b,1,11": errno.EPERM, DISK: errno.EPERM}


@both_views
def test_the_last_matching_rule_counts(report):
    seen = report("--try", KMSG, change=rules(allow("c", 1, 11), allow("c", 1, 11, allow=False)))
    assert seen.tries == {KMSG: errno.EPERM}


@both_views
def test_allow_all(report):
    assert report("--try", KMSG, change=rules(allow(), replace=True)).tries == {KMSG: 0}


@both_views
def test_allow_all_but_one(report):
    seen = report("--try", KMSG, "--try", MEM, change=rules(allow(), allow("c", 1, 1, allow=False), replace=True))
    assert seen.tries == {KMSG: 0, MEM: errno.EPERM}


def user_namespace(config):
    config["linux"]["namespaces"].append({"type": "user"})
    config["linux"]["uidMappings"] = config["linux"]["gidMappings"] = [
        {"containerID": 0, "hostID": 100000, "size": 65536}]


def test_devices_in_a_user_namespace(report):
    """mknod(2) is not possible there: the host's nodes are bound."""
    seen = report("--list", "/dev", "--try", "write:/dev/null", "--try", "read:/dev/urandom", change=user_namespace)
    for name, numbers in DEFAULTS.items():
        found = entry(seen.lists["/dev"], name)
        assert (found["major"], found["minor"]) == numbers
    assert set(seen.tries.values()) == {0}


def test_unbuffered_character_devices_are_character_devices(report):
    seen = report("--stat", "/dev/mine", change=devices(device("/dev/mine", "u", minor=7)))
    assert (seen.stats["/dev/mine"]["type"], seen.stats["/dev/mine"]["minor"]) == ("char", 7)


def test_pipes_in_a_user_namespace_are_the_container_s_own(report):
    def change(config):
        user_namespace(config)
        devices({"path": "/dev/pipe", "type": "p", "fileMode": 0o640, "uid": 3, "gid": 4})(config)

    found = report("--stat", "/dev/pipe", change=change).stats["/dev/pipe"]
    assert (found["type"], found["mode"], found["uid"], found["gid"]) == ("fifo", 0o640, 3, 4)


@pytest.fixture
def udev_link():
    """/dev/char/1:7, as udev makes it."""
    made = not os.path.exists("/dev/char")
    if made:
        os.mkdir("/dev/char")
        os.symlink("../full", "/dev/char/1:7")
    yield
    if made:
        os.unlink("/dev/char/1:7")
        os.rmdir("/dev/char")


def test_device_at_another_path_in_a_user_namespace(report, run, udev_link):
    """Where the host has the device elsewhere, its number finds it; a device that it does not have is an error."""
    def change(minor):
        return lambda config: (user_namespace(config), devices(device("/dev/sub/mine", minor=minor))(config))

    seen = report("--stat", "/dev/sub/mine", "--try", "write:/dev/sub/mine", change=change(7))
    assert (seen.stats["/dev/sub/mine"]["type"], seen.stats["/dev/sub/mine"]["minor"]) == ("char", 7)
    assert seen.tries["write:/dev/sub/mine"] == 0
    error = run("exit", 0, change=change(77)).error
    assert "/dev/sub/mine" in error and "1:77" in error
