"""How the container's root comes into the place of the host's: by detaching the host's tree before anything is mounted, where
nobody looks into the mount namespace meanwhile, else by pivot_root(2). What comes out has to be the same. strace tells which
it was."""

import json
import os
import platform
import subprocess

import pytest

from harness import libc
from harness.runtime import wait_until

#: statmount(2), without which the runtime does not know whether it may.
KERNEL_TELLS = tuple(int(part) for part in platform.release().split(".")[:2]) >= (6, 8)


def with_hook(kind):
    def change(config):
        config["hooks"] = {kind: [{"path": "/bin/true"}]}
    return change


def with_user_namespace(config):
    config["linux"]["namespaces"].append({"type": "user"})
    for name in ("uidMappings", "gidMappings"):
        config["linux"][name] = [{"containerID": 0, "hostID": 100000, "size": 1000}]


def with_file_system_of_files(config):
    config["mounts"].append({"destination": "/place", "type": "overlay", "source": "overlay",
                             "options": ["lowerdir=/usr/lib:/usr/bin"]})


def with_bind_mount(config):
    config["mounts"].append({"destination": "/place", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]})


def in_child(body):
    """What `body` gives, from a process of its own: it may change its namespaces."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            answer = json.dumps(body())
        except BaseException as error:  # pylint: disable=broad-except
            answer = json.dumps(repr(error))
        os.write(write, answer.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(answer)


def below_root(pid):
    """What a process of the container would find that detached the container's root: names, and how many mounts there are."""
    def look():
        namespace = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
        proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
        libc.setns(namespace, libc.CLONE_NEWNS)
        libc.umount("/")
        libc.setns(namespace, libc.CLONE_NEWNS)
        with open(os.open("self/mountinfo", os.O_RDONLY, dir_fd=proc)) as mounts:
            return sorted(os.listdir("/")), len(mounts.readlines())

    return in_child(look)


def points(pid):
    with open(f"/proc/{pid}/mountinfo") as file:
        return sorted((line.split()[4], line.split(" - ")[1].split()[0], line.split()[5]) for line in file)


@pytest.mark.parametrize("change, detached_first", [
    (None, True),
    (with_bind_mount, True),
    (with_hook("poststart"), True),
    (with_hook("prestart"), False), (with_hook("createRuntime"), False), (with_hook("createContainer"), False),
    (with_user_namespace, False),  # the kernel has locked the host's mounts together
    (with_file_system_of_files, False),
])
def test_which_way(view, bundle, container, tmp_path, change, detached_first):
    log = tmp_path / "calls"
    with container(bundle("exit", 0, change=change)) as box:
        command = box.runtime.command("run", "--bundle", box.bundle.path, box.id)
        done = subprocess.run(view.entry + ["strace", "-f", "-e", "trace=pivot_root", "-o", str(log), *command], check=False,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done
    assert ("pivot_root(" in log.read_text()) is not (detached_first and KERNEL_TELLS)


def test_both_ways_leave_the_same(bundle, container):
    with container(bundle("sleep")) as detached, container(bundle("sleep", change=with_hook("createContainer"))) as pivoted:
        for box in (detached, pivoted):
            box.must("run", "--detach")
        assert points(detached.pid) == points(pivoted.pid)
        below = below_root(pivoted.pid)
        assert below[1] == 1, "one mount is left, which the kernel made"
        assert below_root(detached.pid) == below


def test_who_is_in_a_joined_mount_namespace_comes_along(bundle, container):
    """As pivot_root(2) does it."""
    holder = subprocess.Popen(["unshare", "-m", "--propagation", "private", "sleep", "inf"], stdin=subprocess.DEVNULL)
    try:
        wait_until(lambda: os.readlink(f"/proc/{holder.pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt"))

        def join(config):
            config["linux"]["namespaces"] = [
                entry | ({"path": f"/proc/{holder.pid}/ns/mnt"} if entry["type"] == "mount" else {})
                for entry in config["linux"]["namespaces"]]

        with container(bundle("sleep", change=join)) as box:
            box.must("run", "--detach")
            assert points(holder.pid) == points(box.pid) != []
    finally:
        holder.kill()
        holder.wait()


def test_nothing_is_detached_through_a_shared_mount_below(bundle, runtime):
    """Where the mount below the host's root is shared, a tree that is detached from it goes away in every namespace that has
    a copy. The kernel's pivot_root(2) refuses there, and so has the container to fail."""
    made = bundle("exit", 0)

    def run():
        libc.unshare(libc.CLONE_NEWNS)
        libc.mount(None, "/", None, libc.MS_REC | libc.MS_PRIVATE)
        namespace = os.open("/proc/self/ns/mnt", os.O_RDONLY)
        tree = libc.clone_mount(os.open("/", os.O_PATH), libc.AT_RECURSIVE)
        libc.umount("/")
        libc.setns(namespace, libc.CLONE_NEWNS)
        libc.mount(None, "/", None, libc.MS_SHARED)
        libc.move_mount(tree, "/")
        os.fchdir(tree)
        os.chroot(".")
        before = points("self")
        done = subprocess.run(runtime.command("run", "--bundle", made.path, made.config["linux"]["cgroupsPath"][1:]), check=False,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
        return done.returncode, done.stderr, os.path.exists("/proc/self/mountinfo") and points("self") == before

    status, errors, host_is_whole = in_child(run)
    assert host_is_whole
    assert status == 1 and "pivot_root" in errors, errors
