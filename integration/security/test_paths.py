"""Root file systems full of symbolic links: nothing outside of them is touched, ever."""

import errno
import os
import stat
import time

import pytest

from harness.race import exchanging

MOUNT_TYPES = {
    "tmpfs": {"type": "tmpfs", "source": "tmpfs"},
    "proc": {"type": "proc", "source": "proc"},
    "mqueue": {"type": "mqueue", "source": "mqueue"},
    "bind-directory": {"type": "bind", "source": "/usr/share", "options": ["bind"]},
    "bind-file": {"type": "bind", "source": "/etc/passwd", "options": ["bind"]},
}


def without_dev(config):
    config["mounts"] = [m for m in config["mounts"] if not m["destination"].startswith("/dev")]


def replace(rootfs, name, target):
    """A symbolic link in place of a directory of the root file system."""
    path = os.path.join(rootfs, name)
    if os.path.isdir(path) and not os.path.islink(path):
        os.rmdir(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.symlink(target, path)


@pytest.mark.parametrize("name", ["proc", "sys"])
@pytest.mark.parametrize("target", ["elsewhere", "/elsewhere", "link-to-elsewhere", "{canary}", "../../../../../../{canary}"])
def test_proc_and_sys_must_be_directories(bundle, attack, canary, name, target):
    """CVE-2019-19921, 2023-27561, 2025-54867: a link there makes masks and labels land elsewhere."""
    made = bundle("report")
    os.mkdir(made.rootfs + "/elsewhere")
    os.symlink("/elsewhere", made.rootfs + "/link-to-elsewhere")
    replace(made.rootfs, name, target.format(canary=canary.path))
    result = attack(made)
    assert result.status != 0
    assert "/" + name in result.error
    assert os.listdir(made.rootfs + "/elsewhere") == []


@pytest.mark.parametrize("with_mount", [True, False])
@pytest.mark.parametrize("target", ["{canary}", "../../../../../../../{canary}", "/proc/1/root{canary}"])
def test_dev_is_a_link(bundle, attack, canary, with_mount, target):
    """CVE-2026-41579, CVE-2026-47766: device nodes and links made on the host, its ptmx removed."""
    made = bundle("exit", 0, change=None if with_mount else without_dev)
    replace(made.rootfs, "dev", target.format(canary=canary.path))
    attack(made)


@pytest.mark.parametrize("kind", sorted(MOUNT_TYPES))
@pytest.mark.parametrize("link, destination", [
    ("place", "/place"), ("place", "/place/new"), ("place", "/place/sub"), ("place/inner", "/place/inner/a/b"), ("a", "/a/file")])
@pytest.mark.parametrize("target", ["{canary}", "../../../../../../..{canary}", "/proc/1/root{canary}"])
def test_mount_point_behind_a_link(bundle, attack, canary, kind, link, destination, target):
    """bwrap CVE-2026-87766, crun CVE-2019-18837, runc CVE-2024-45310: mkdir and create under a link's target."""
    made = bundle("exit", 0, change=lambda config: config["mounts"].append(
        {"destination": destination, **MOUNT_TYPES[kind]}))
    replace(made.rootfs, link, target.format(canary=canary.path))
    attack(made)


def test_resolv_conf_is_a_link_to_a_file_of_the_host(bundle, attack, canary):
    made = bundle("exit", 0, change=lambda config: config["mounts"].append(
        {"destination": "/etc/resolv.conf", **MOUNT_TYPES["bind-file"]}))
    os.symlink(canary.path + "/f", made.rootfs + "/etc/resolv.conf")
    attack(made)


@pytest.mark.parametrize("destination", ["/../../../../../../{canary}", "/place/../../../..{canary}/new", "/./{canary}/x"])
def test_destination_with_dots(bundle, attack, canary, destination):
    made = bundle("exit", 0, change=lambda config: config["mounts"].append(
        {"destination": destination.format(canary=canary.path), **MOUNT_TYPES["tmpfs"]}))
    attack(made)


@pytest.mark.parametrize("property_name", ["maskedPaths", "readonlyPaths"])
@pytest.mark.parametrize("target", ["{canary}", "{canary}/file", "../../../../../../..{canary}/file", "/proc/1/root{canary}"])
def test_masked_and_read_only_paths_behind_a_link(bundle, attack, canary, property_name, target):
    made = bundle("exit", 0, change=lambda config: config["linux"].update({property_name: ["/link", "/place/inner"]}))
    os.symlink(target.format(canary=canary.path), made.rootfs + "/link")
    replace(made.rootfs, "place", target.format(canary=canary.path))
    attack(made)
    with open(canary.path + "/file", "a"):
        pass  # still writable


@pytest.mark.parametrize("target", ["{canary}", "../../../../../../..{canary}", "/proc/self/cwd", "/proc/1/root"])
def test_cwd_behind_a_link(bundle, attack, canary, target):
    """Resolved in the container's root: never a directory of the host."""
    made = bundle("report", "--list", ".", change=lambda config: config["process"].update(cwd="/link/new"))
    os.symlink(target.format(canary=canary.path), made.rootfs + "/link")
    result = attack(made)
    if result.ok:
        seen = result.report
        assert seen.cwd.startswith("/")
        assert "deep" not in str(seen.lists)


@pytest.mark.parametrize("fake", ["link", "fifo", "regular", "zero", "directory", "missing"])
def test_fake_dev_null_is_never_mounted_as_a_mask(bundle, attack, canary, fake):
    """CVE-2025-31133: with a link as /dev/null the mask was the link's target, writable."""
    fakes = canary_directory = bundle.directory + "/fake-dev-" + bundle.new_id()
    os.makedirs(canary_directory)
    path = fakes + "/null"
    if fake == "link":
        os.symlink("/proc/sys/kernel/core_pattern", path)
    elif fake == "fifo":
        os.mkfifo(path)
    elif fake == "regular":
        with open(path, "w") as file:
            file.write("not null")
    elif fake == "zero":
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    elif fake == "directory":
        os.mkdir(path)

    def change(config):
        without_dev(config)
        config["mounts"].append({"destination": "/dev", "type": "bind", "source": fakes, "options": ["bind", "rprivate"]})
        config["linux"]["maskedPaths"] = ["/masked"]

    made = bundle("report", "--read", "/masked", "--stat", "/masked", "--try", "write-text:/masked=changed", change=change)
    with open(made.rootfs + "/masked", "w") as file:
        file.write("secret")
    before = open("/proc/sys/kernel/core_pattern").read()
    result = attack(made)
    assert open("/proc/sys/kernel/core_pattern").read() == before
    if result.ok:
        seen = result.report
        assert seen.file("/masked") == ""
        assert (seen.stats["/masked"]["major"], seen.stats["/masked"]["minor"]) == (1, 3)


@pytest.mark.parametrize("fake", ["link", "fifo", "regular"])
@pytest.mark.parametrize("readonly", [False, True])
def test_fake_dev_null_does_not_become_stdio(bundle, container, canary, fake, readonly):
    """CVE-2026-88265: a file of the host became stdout and its owner changed."""
    def change(config):
        without_dev(config)
        config["mounts"].append({"destination": "/vol", "type": "bind", "source": canary.path, "options": ["bind"]})
        config["process"]["user"] = {"uid": 1000, "gid": 1000}
        config["root"]["readonly"] = readonly

    made = bundle("echo", "text", change=change)
    path = made.rootfs + "/dev/null"
    if fake == "link":
        os.symlink("/vol/f", path)
    elif fake == "fifo":
        os.mkfifo(path)
    else:
        open(path, "w").close()
    read, write = os.pipe()
    with container(made) as box:
        result = box.run(stdin=read, stdout=write, stderr=write)
        assert result.status is not None
    os.close(read)
    os.close(write)


@pytest.mark.parametrize("target", ["{canary}/console", "../../../../../../..{canary}/console", "/vol/f"])
def test_fake_console(bundle, container, canary, tmp_path, target):
    """CVE-2025-52565, CVE-2026-88264: /dev/console made or mounted through a link."""
    from harness.terminal import ConsoleSocket

    def change(config):
        without_dev(config)
        config["mounts"].append({"destination": "/vol", "type": "bind", "source": canary.path, "options": ["bind"]})
        config["mounts"].append({"destination": "/dev/pts", "type": "devpts", "source": "devpts",
                                 "options": ["newinstance", "ptmxmode=0666"]})
        config["process"]["terminal"] = True

    made = bundle("exit", 0, change=change)
    os.symlink(target.format(canary=canary.path), made.rootfs + "/dev/console")
    with ConsoleSocket(str(tmp_path / "console")) as console, container(made) as box:
        result = box.create("--console-socket", console.path)
        if result.ok:
            console.receive()
        else:
            assert result.error


def test_fake_ptmx(bundle, container, canary, tmp_path):
    """A tmpfs in place of devpts, with a ptmx and a terminal that are links."""
    from harness.terminal import ConsoleSocket

    def change(config):
        config["mounts"] = [m for m in config["mounts"] if m["destination"] != "/dev/pts"]
        config["mounts"].append({"destination": "/dev/pts", "type": "bind", "source": "fake", "options": ["bind"]})
        config["process"]["terminal"] = True

    made = bundle("exit", 0, change=change)
    os.mkdir(made.path + "/fake")
    os.symlink("/proc/sysrq-trigger", made.path + "/fake/0")
    os.symlink(canary.path + "/ptmx", made.path + "/fake/ptmx")
    with ConsoleSocket(str(tmp_path / "console")) as console, container(made) as box:
        result = box.create("--console-socket", console.path)
        assert result.status != 0 and result.error


@pytest.mark.parametrize("destination", ["/vol/target", "/vol/target/a/b"])
def test_swapped_mount_point(bundle, attack, canary, destination):
    """CVE-2021-30465, 2024-45310: another process swaps the mount point for a link while the container starts."""
    shared = bundle.directory + "/shared-" + bundle.new_id()
    os.makedirs(shared + "/target")
    os.symlink(canary.path, shared + "/link")

    def change(config):
        config["mounts"].append({"destination": "/vol", "type": "bind", "source": shared, "options": ["bind", "rprivate"]})
        config["mounts"].append({"destination": destination, "type": "tmpfs", "source": "tmpfs"})
        config["linux"]["maskedPaths"] = ["/vol/target"]

    made = bundle("report", "--list", "/vol/target", change=change)
    with exchanging(shared + "/target", shared + "/link"):
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            result = attack(made)
            if result.ok:
                assert "deep" not in result.stdout


def test_mount_on_the_root(bundle, attack):
    """CVE-2015-3630: a mount on / or /proc replaces what the runtime has checked."""
    made = bundle("exit", 0, change=lambda config: config["mounts"].append(
        {"destination": "/", "type": "tmpfs", "source": "tmpfs"}))
    result = attack(made)
    assert result.status != 0 and "/mounts/" in result.error or "mount" in result.error


@pytest.mark.parametrize("destination", ["/proc", "/proc/self/attr", "/proc/1/environ", "/proc/sys/kernel", "/proc/net/x"])
@pytest.mark.parametrize("kind", ["tmpfs", "bind-directory"])
def test_mount_on_proc(bundle, attack, destination, kind):
    """CVE-2019-16884: a fake /proc defeats masks and labels."""
    made = bundle("exit", 0, change=lambda config: config["mounts"].append(
        {"destination": destination, **MOUNT_TYPES[kind]}))
    result = attack(made)
    assert result.status != 0
    assert destination in result.error


@pytest.mark.parametrize("name", ["cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg"])
def test_files_of_proc_that_lxcfs_replaces(bundle, attack, name):
    made = bundle("report", "--read", "/proc/" + name, change=lambda config: config["mounts"].append(
        {"destination": "/proc/" + name, "type": "bind", "source": "fake", "options": ["bind"]}))
    made.file("fake", "replaced")
    assert attack(made).report.file("/proc/" + name) == "replaced"


def test_proc_of_the_host_may_be_bound(bundle, attack):
    """A privileged container asks for it: a real procfs is no fake."""
    def change(config):
        config["mounts"] = [m for m in config["mounts"] if m["destination"] != "/proc"]
        config["mounts"].append({"destination": "/proc", "type": "bind", "source": "/proc", "options": ["rbind"]})
        config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] != "pid"]

    result = attack(bundle("report", change=change))
    assert result.ok, result
    assert result.report.mount("/proc")["fstype"] == "proc"


def test_read_only_bind_stays_read_only(bundle, attack, canary):
    made = bundle("report", "--try", "create:/vol/made", "--try", "write:/vol/file", change=lambda config: config[
        "mounts"].append({"destination": "/vol", "type": "bind", "source": canary.path, "options": ["rbind", "ro"]}))
    assert set(attack(made).report.tries.values()) == {errno.EROFS}
