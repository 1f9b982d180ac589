"""How the container's root comes into the place of the host's: by detaching the host's tree before anything is mounted, where
nobody looks into the mount namespace meanwhile, else by pivot_root(2). What comes out has to be the same. strace tells which
it was."""

import errno
import os
import platform
import subprocess

import pytest

from harness import libc
from harness.child import in_child
from harness.configurations import with_hook, with_user_namespace
from harness.runtime import wait_until

STATMOUNT = 457
#: statmount(2), without which the runtime does not know whether it may.
KERNEL_TELLS = tuple(int(part) for part in platform.release().split(".")[:2]) >= (6, 8)


def with_file_system_of_files(config):
    config["mounts"].append({"destination": "/place", "type": "overlay", "source": "overlay",
                             "options": ["lowerdir=/usr/lib:/usr/bin"]})


def with_bind_mount(config):
    config["mounts"].append({"destination": "/place", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]})


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


def mounts_of(pid):
    """Place, options, propagation, type and the parent's place of each mount that the process sees."""
    with open(f"/proc/{pid}/mountinfo") as file:
        lines = [line.split() for line in file]
    places = {line[0]: line[4] for line in lines}
    return sorted((line[4], line[5], *(field.split(":")[0] for field in line[6:line.index("-")]), line[line.index("-") + 1],
                   places.get(line[1], "below")) for line in lines)


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


@pytest.mark.parametrize("propagation", [None, "private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable",
                                         "runbindable"])
def test_both_ways_leave_the_same(bundle, container, propagation):
    def change(*others):
        def apply(config):
            if propagation:
                config["linux"]["rootfsPropagation"] = propagation
            for other in others:
                other(config)
        return apply

    with container(bundle("sleep", change=change())) as detached, \
         container(bundle("sleep", change=change(with_hook("createContainer")))) as pivoted:
        for box in (detached, pivoted):
            box.must("run", "--detach")
        assert mounts_of(detached.pid) == mounts_of(pivoted.pid)
        below = below_root(pivoted.pid)
        assert below[1] == 1, "one mount is left, which the kernel made"
        assert below_root(detached.pid) == below


def run_status(box, *before, **options):
    command = [*before, *box.runtime.command("run", "--bundle", box.bundle.path, box.id)]
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, **options)
    return done.returncode, done.stderr


def test_nodes_that_cannot_be_made_come_from_the_host(bundle, container):
    """A caller without CAP_MKNOD, as a container of Podman's is."""
    with container(bundle("exit", 5)) as box:
        assert run_status(box, "setpriv", "--bounding-set", "-mknod") == (5, "")


def test_root_that_something_is_mounted_over(bundle, container):
    """Its caller's "/" is not what is uppermost there."""
    with container(bundle("exit", 5)) as box:
        def run():
            libc.unshare(libc.CLONE_NEWNS)
            libc.mount(None, "/", None, libc.MS_REC | libc.MS_PRIVATE)
            libc.mount("none", "/", "tmpfs")
            return run_status(box)

        assert in_child(run) == [5, ""]


@pytest.mark.parametrize("error", [errno.ENOSYS, errno.EPERM])
def test_kernels_that_do_not_tell(bundle, container, error):
    """Older ones, and those below a seccomp filter of the caller's."""
    with container(bundle("exit", 5)) as box:
        assert run_status(box, preexec_fn=lambda: libc.refuse_system_call(STATMOUNT, error)) == (5, "")


@pytest.mark.parametrize("refused", ["chroot", "umount2:when=1"])
def test_what_the_caller_may_not_do(bundle, container, refused):
    call, *when = refused.split(":")
    with container(bundle("exit", 5)) as box:
        strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", ":".join([f"inject={call}", "error=EPERM", *when])]
        assert run_status(box, *strace) == (5, "")


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
            assert mounts_of(holder.pid) == mounts_of(box.pid) != []
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
        before = mounts_of("self")
        done = subprocess.run(runtime.command("run", "--bundle", made.path, made.config["linux"]["cgroupsPath"][1:]), check=False,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
        return done.returncode, done.stderr, os.path.exists("/proc/self/mountinfo") and mounts_of("self") == before

    status, errors, host_is_whole = in_child(run)
    assert host_is_whole
    assert status == 1 and "pivot_root" in errors, errors
