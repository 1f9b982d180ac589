"""mounts add and mounts remove: mounts of a container that runs, whose program lives on."""

import contextlib
import errno
import json
import os
import re
import signal
import stat
import subprocess
import time

import pytest

from harness import libc
from harness.host import mountinfo, reap_children
from harness.race import exchanging
from harness.runtime import wait_until


def user_namespace(config):
    config["linux"]["namespaces"].append({"type": "user"})
    for name in ("uidMappings", "gidMappings"):
        config["linux"][name] = [{"containerID": 0, "hostID": 100000, "size": 65536}]


def bind(source, destination, *options, **more):
    return {"destination": destination, "type": "bind", "source": str(source), "options": ["bind", *options], **more}


def tmpfs(destination, *options):
    return {"destination": destination, "type": "tmpfs", "source": "tmpfs", "options": list(options)}


class Living:
    """A container whose program waits, and what its mounts are."""

    def __init__(self, box):
        self.box = box

    def __getattr__(self, name):
        return getattr(self.box, name)

    def change(self, action, *mounts, **options):
        document = mounts[0] if len(mounts) == 1 and isinstance(mounts[0], str) else json.dumps(mounts)
        return self.box.runtime("mounts", action, self.box.id, "-", input=document, **options)

    def add(self, *mounts, **options):
        result = self.change("add", *mounts, **options)
        assert (result.status, result.stdout, result.stderr) == (0, "", ""), result

    def remove(self, *destinations):
        result = self.change("remove", *({"destination": destination} for destination in destinations))
        assert (result.status, result.stdout, result.stderr) == (0, "", ""), result

    def mounts(self):
        """Those of the container's first process, as the host sees them."""
        with open(f"/proc/{self.box.pid}/mountinfo") as file:
            return mountinfo(file.read())

    def mount(self, point):
        return [mount for mount in self.mounts() if mount["point"] == point][-1]

    def points(self):
        return [mount["point"] for mount in self.mounts()]

    def report(self, *args):
        return self.box.exec("/probe", "report", *args).report


@pytest.fixture
def living(container, bundle):
    """living(change) is a context of a container that runs."""
    @contextlib.contextmanager
    def living(change=None, prepare=None, started=True):
        made = bundle("sleep", change=change)
        if prepare:
            prepare(made)
        with container(made) as box:
            box.must("create")
            if started:
                box.must("start")
            pid = box.pid
            yield Living(box)
            box.resume()
            box.kill("KILL")
            wait_until(lambda: reap_children() or not os.path.exists(f"/proc/{pid}"))
    return living


@pytest.fixture
def source(tmp_path):
    """A directory of the host that other users can read, with a file in it."""
    for directory in (*tmp_path.parents[:3], tmp_path):
        os.chmod(directory, 0o755)
    made = tmp_path / "source"
    made.mkdir()
    made.joinpath("file").write_text("of the host")
    made.joinpath("file").chmod(0o666)
    return made


both_users = pytest.mark.parametrize("change", [None, user_namespace], ids=["root", "userns"])


def places(made):
    """For root of a user namespace, who may make nothing in a root file system of the host's root."""
    for name in ("place2/made", "place3"):
        os.makedirs(os.path.join(made.rootfs, name))
    os.chown(os.path.join(made.rootfs, "place2/made"), 100000, 100000)


@both_users
def test_bind(living, source, change):
    with living(change, places) as box:
        before = box.points()
        box.add(bind(source, "/place"), bind(source / "file", "/place2/made/file", "ro", "nosuid"))
        seen = box.report("--read", "/place/file", "--read", "/place2/made/file", "--try", "write:/place2/made/file")
        assert seen.file("/place/file") == seen.file("/place2/made/file") == "of the host"
        assert seen.tries["write:/place2/made/file"] == errno.EROFS
        assert {"ro", "nosuid"} <= box.mount("/place2/made/file")["options"]
        box.remove("/place2/made/file", "/place")
        assert box.points() == before


@both_users
def test_tmpfs(living, change):
    with living(change) as box:
        box.add(tmpfs("/place", "mode=700", "size=64k", "noexec"), tmpfs("/place/in", "ro"))
        seen = box.report("--stat", "/place", "--try", "create:/place/new", "--try", "create:/place/in/new")
        assert (seen.stats["/place"]["mode"] & 0o7777, seen.stats["/place"]["uid"]) == (0o700, 0)
        assert seen.tries == {"create:/place/new": 0, "create:/place/in/new": errno.EROFS}
        assert "noexec" in box.mount("/place")["options"] and "size=64k" in box.mount("/place")["super"]


def test_tmpfs_of_a_user_namespace_belongs_to_it(living):
    with living(user_namespace) as box:
        box.add(tmpfs("/place"))
        assert os.stat(f"/proc/{box.pid}/root/place").st_uid == 100000


def test_relative_source_is_the_bundle_s(living):
    with living(prepare=lambda made: made.file("mine", "of the bundle")) as box:
        box.add(bind("mine", "/place/mine"))
        assert box.report("--read", "/place/mine").file("/place/mine") == "of the bundle"


def test_recursive_copies_are_slaves(living, tmp_path):
    """What is mounted on the host later arrives, what is mounted in the container never does."""
    for directory in (tmp_path, tmp_path / "inner", tmp_path / "later"):
        directory.mkdir(exist_ok=True)
    libc.mount("tmpfs", str(tmp_path / "inner"), "tmpfs")
    try:
        with living() as box:
            box.add({**bind(tmp_path, "/place"), "options": ["rbind"]})
            assert {"/place", "/place/inner"} <= set(box.points())
            libc.mount("tmpfs", str(tmp_path / "later"), "tmpfs")
            assert "/place/later" in box.points()
            box.add(tmpfs("/place/inner"))
            box.remove("/place/later")
            assert [m["point"] for m in mountinfo()].count(str(tmp_path / "inner")) == 1
            assert str(tmp_path / "later") in [m["point"] for m in mountinfo()]
    finally:
        libc.umount(str(tmp_path / "later"))
        libc.umount(str(tmp_path / "inner"))


def test_flags_of_the_host_are_locked_in_a_user_namespace(living, view, source):
    """As for create: root of the user namespace cannot take off what the host's mount has."""
    libc.mount(str(source), str(source), None, libc.MS_BIND)
    # In the view: a remount is not one of the things that propagate.
    subprocess.run([*view.entry, "mount", "-o", "remount,bind,ro,nodev", source], check=True)
    try:
        with living(user_namespace) as box:
            error = box.change("add", bind(source, "/place", "rw")).error
            assert "a user namespace cannot take ro off a mount of the host" in error
            box.add(bind(source, "/place"))
            assert {"ro", "nodev"} <= box.mount("/place")["options"]
            assert remount_inside(box.pid) == errno.EPERM
    finally:
        libc.umount(str(source))


def remount_inside(pid):
    """errno of taking ro and nodev off /place, as root of the container with every capability of its user namespace."""
    child = os.fork()
    if child == 0:
        status = 255
        try:
            user, mounts = (os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY) for name in ("user", "mnt"))
            libc.setns(user, libc.CLONE_NEWUSER)
            libc.setns(mounts, libc.CLONE_NEWNS)
            libc.mount(None, "/place", None, libc.MS_BIND | libc.MS_REMOUNT)
            status = 0
        except OSError as error:
            status = error.errno
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_id_mapped(living, source):
    """The file system's root is the container's: its ids go through the mount's own mapping, or the container's."""
    os.chown(source / "file", 0, 0)
    own = {name: [{"containerID": 0, "hostID": 100007, "size": 10}] for name in ("uidMappings", "gidMappings")}
    with living(user_namespace, places) as box:
        box.add(bind(source, "/place", "idmap"), bind(source, "/place2", **own), bind(source, "/place3"))
        seen = box.report(*[word for place in ("place", "place2", "place3") for word in ("--stat", f"/{place}/file")])
        assert [seen.stats[f"/{place}/file"]["uid"] for place in ("place", "place2", "place3")] == [0, 7, 65534]


@contextlib.contextmanager
def holding_user_namespace(nested):
    """The path of a user namespace that a process of the host's is in, and that process. `nested`: made in another one."""
    inner = "unshare --user sh -c 'echo 2; read go; exec sleep 60'" if nested else "sleep 60"
    holder = subprocess.Popen(["unshare", "--user", "sh", "-c", f"echo 1; read go; exec {inner}"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    path = f"/proc/{holder.pid}/ns/user"
    with contextlib.ExitStack() as stack:
        stack.enter_context(holder)
        stack.callback(holder.kill)
        parent = stack.enter_context(open("/proc/self/ns/user"))
        for host in (0, 0) if nested else (100000,):
            holder.stdout.readline()

            def enter():
                if os.fstat(parent.fileno()).st_ino != os.stat("/proc/self/ns/user").st_ino:
                    libc.setns(parent.fileno(), libc.CLONE_NEWUSER)

            # Only processes of the namespace that it was made in may write its maps.
            subprocess.run(["sh", "-c", f"for map in uid_map gid_map; do echo 0 {host} 65536 >/proc/{holder.pid}/$map; done"],
                           preexec_fn=enter, check=True)
            parent = stack.enter_context(open(path))
            holder.stdin.write(b"go\n")
            holder.stdin.flush()
        yield path, holder


@pytest.mark.parametrize("nested", [False, True])
def test_joined_user_namespace(living, source, nested):
    """It is the one of the path; if nothing is there any more, one that was made in the caller's own."""
    os.chown(source / "file", 0, 0)
    with holding_user_namespace(nested) as (path, holder):
        def join(config):
            config["linux"]["namespaces"].append({"type": "user", "path": path})

        with living(join, places) as box:
            box.add(bind(source, "/place", "idmap"))
            assert box.report("--stat", "/place/file").stats["/place/file"]["uid"] == 0
            box.remove("/place")
            holder.kill()
            holder.wait()
            outcome = box.change("add", bind(source, "/place"))
            assert nested == ("neither a child of this command's nor at the path" in outcome.stderr) == (not outcome.ok)


def test_file_systems_of_the_container_s_namespaces(living):
    """sysfs shows the network of the container, mqueue its queues."""
    with living() as box:
        box.add({"destination": "/place/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]},
                {"destination": "/place/mqueue", "type": "mqueue", "source": "mqueue"})
        seen = box.report("--list", "/place/sys/class/net", "--list", "/sys/class/net")
        assert set(seen.lists["/place/sys/class/net"]) == set(seen.lists["/sys/class/net"]) == {"lo"}
        assert box.mount("/place/mqueue")["device"] == box.mount("/dev/mqueue")["device"]


def test_paths_in_options_are_the_host_s(living, tmp_path):
    for name in ("lower", "upper", "work"):
        tmp_path.joinpath(name).mkdir()
    tmp_path.joinpath("lower/file").write_text("lower")
    overlay = {"destination": "/place", "type": "overlay", "source": "overlay",
               "options": [f"lowerdir={tmp_path}/lower,upperdir={tmp_path}/upper,workdir={tmp_path}/work"]}
    with living() as box:
        box.add(overlay)
        assert box.report("--read", "/place/file").file("/place/file") == "lower"


def test_created_container(living, source):
    with living(started=False) as box:
        box.add(bind(source, "/place"))
        box.must("start")
        assert box.report("--read", "/place/file").file("/place/file") == "of the host"


def test_root_that_was_moved(container, bundle, source):
    """--no-pivot: destinations are below the container's root there too."""
    with container(bundle("sleep")) as box:
        box.must("create", "--no-pivot")
        box.must("start")
        pid = box.pid
        living = Living(box)
        living.add(bind(source, "/place"))
        assert living.report("--read", "/place/file").file("/place/file") == "of the host"
        living.remove("/place")
        assert living.report("--list", "/place").lists["/place"] == {}
        box.must("kill", "KILL")
        wait_until(lambda: reap_children() or not os.path.exists(f"/proc/{pid}"))


def test_document_in_a_file(living, source, tmp_path):
    with living() as box:
        document = tmp_path / "mounts.json"
        document.write_text(json.dumps([bind(source, "/place")]))
        assert box.runtime("mounts", "add", box.id, str(document)).ok
        assert "/place" in box.points()
        assert box.runtime("mounts", "remove", box.id, str(document)).ok
        assert "/place" not in box.points()


def test_nothing_to_do(living):
    with living() as box:
        before = box.points()
        box.add("[]")
        box.remove()
        assert box.points() == before


@both_users
@pytest.mark.parametrize("bad", [bind("/nosuch", "/x"), bind("/etc/passwd", "/place/d"), bind("/etc", "/proc/x"),
                                 tmpfs("/x", "nosuch=1"), bind("/etc", "/x", "nosuch"),
                                 {"destination": "/x", "type": "nosuchfs"}],
                         ids=["source", "kind", "proc", "option", "bind-option", "type"])
def test_all_or_none(living, source, change, bad):
    """The second of three fails, before or when it is attached."""
    def prepare(made):
        os.makedirs(os.path.join(made.rootfs, "place/d"))

    with living(change, prepare) as box:
        before = box.mounts()
        result = box.change("add", tmpfs("/tmp"), bind(source, "/tmp/in", "ro"), bad, tmpfs("/place"))
        assert result.error.startswith(f'berth: mounts "{box.id}": ') and "/mounts/2" in result.error
        assert box.mounts() == before


@pytest.mark.parametrize("mount, expected", [
    ({"destination": "/x", "type": "proc"}, "only create mounts this one"),
    ({"destination": "/x", "type": "cgroup"}, "only create mounts this one"),
    ({"destination": "/x", "options": ["remount", "ro"]}, "expected a new mount"),
    (bind("/etc", "/x", "copy-symlink"), "copy-symlink"),
    (tmpfs("/tmp", "tmpcopyup"), "tmpcopyup"),
    (tmpfs("/"), "a path below /"),
    ({"type": "tmpfs"}, "stdin: /mounts/0/destination: got nothing"),
])
def test_what_cannot_be_added(living, mount, expected):
    with living() as box:
        before = box.mounts()
        assert expected in box.change("add", mount).error
        assert box.mounts() == before


@pytest.mark.parametrize("document, expected", [("{}", "expected an array"), ("[", "stdin: line 1"), ("", "stdin: line 1"),
                                                ("[1]", "/mounts/0")])
def test_documents_that_are_none(living, document, expected):
    with living() as box:
        for action in ("add", "remove"):
            assert expected in box.change(action, document).error


def test_arguments(living, tmp_path):
    with living() as box:
        def mounts(*args, **options):
            return box.runtime("mounts", *args, **options)

        assert "does not exist" in mounts("add", "missing-" + box.id, "-", input="[]").error
        assert "No such file" in mounts("add", box.id, str(tmp_path / "none")).error
        for arguments in ((), ("add",), ("add", box.id), ("list", box.id, "-"), ("add", box.id, "-", "more")):
            assert mounts(*arguments).error


def test_states_that_allow_no_change(living, source):
    with living() as box:
        box.must("pause")
        for action in ("add", "remove"):
            assert "paused container (resume it first)" in box.change(action, bind(source, "/place")).error
        box.must("resume")
        box.add(bind(source, "/place"))
        box.must("kill", "KILL")
        box.wait_status("stopped")
        for action in ("add", "remove"):
            assert box.change(action, bind(source, "/place")).error.endswith(": container not running")


def test_container_without_a_mount_namespace(living, source):
    def change(config):
        config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] not in ("mount", "pid")]
        config["mounts"] = []

    with living(change) as box:
        before = mountinfo()
        for action in ("add", "remove"):
            assert "a mount namespace in /linux/namespaces" in box.change(action, bind(source, "/tmp")).error
        assert mountinfo() == before


def test_remove_takes_what_is_below(living, source):
    """In whatever order they are named; and a program that uses it keeps nothing there."""
    with living() as box:
        before = box.points()
        box.add(tmpfs("/place"), tmpfs("/place/in"), bind(source, "/place/in/deep"))
        user = box.runtime.popen("exec", "--cwd", "/place/in/deep", box.id, "/probe", "sleep")
        wait_until(lambda: len(box.runtime("ps", "--format", "json", box.id).json) == 2)
        box.remove("/place")
        assert box.points() == before
        user.send_signal(signal.SIGKILL)
        user.wait()
        box.must("kill", "--all", "USR2")
        for order in (("/place", "/place/in"), ("/place/in", "/place")):
            box.add(tmpfs("/place"), tmpfs("/place/in"))
            box.remove(*order)
            assert box.points() == before


@pytest.mark.parametrize("bad, expected", [
    ("/place", "nothing is mounted on /place"), ("/nosuch", "No such file or directory"), ("/", "a path below /"),
    ("/proc/sys", "to protect the path"), ("/proc/keys", "to protect the path"), ("/tmp", "each destination once"),
    ("/link-to-root", "symbolic links"), ("/link-to-tmp", "symbolic links"),
    ("", "a path below /"),
])
def test_remove_takes_all_or_none(living, bad, expected):
    def change(config):
        config["linux"].update(maskedPaths=["/proc/keys"], readonlyPaths=["/proc/sys"])

    def prepare(made):
        os.symlink(".", os.path.join(made.rootfs, "link-to-root"))
        os.symlink("tmp", os.path.join(made.rootfs, "link-to-tmp"))

    with living(change, prepare) as box:
        box.add(tmpfs("/tmp"))
        before = box.mounts()
        result = box.change("remove", {"destination": "/tmp"}, {"destination": bad})
        assert expected in result.error and "/mounts/1" in result.error
        assert box.mounts() == before


@pytest.mark.parametrize("link, name", [("/proc", "sys"), ("/proc", "keys"), ("/sys", "firmware")])
def test_links_of_the_container_lead_to_no_mask(living, link, name):
    """It may turn the directory of a mount into a link: what is removed then must not be what hides the host's."""
    def change(config):
        config["linux"].update(maskedPaths=["/proc/keys", "/sys/firmware"], readonlyPaths=["/proc/sys"])

    with living(change, lambda made: os.symlink(link, os.path.join(made.rootfs, "data"))) as box:
        before = box.mounts()
        assert "symbolic links" in box.change("remove", {"destination": f"/data/{name}"}).error
        assert box.mounts() == before


def test_what_hides_parts_of_procfs_stays(living, source):
    """Also where it is a mount of the configuration."""
    with living(lambda config: config["mounts"].append(bind(source / "file", "/proc/uptime"))) as box:
        before = box.mounts()
        error = box.change("remove", {"destination": "/proc/uptime"}).error
        assert "what is mounted on /proc/uptime protects proc from the container" in error
        assert box.mounts() == before


@pytest.fixture
def with_protected_volume(living, tmp_path):
    """A container with masked and read-only paths on a volume, which its root file system has another way to."""
    for name in ("hidden", "kept"):
        tmp_path.joinpath(f"volume/{name}").mkdir(parents=True)
    tmp_path.joinpath("volume/secret").write_text("secret")

    def change(config):
        config["mounts"].append(bind(tmp_path / "volume", "/d/mnt"))
        config["linux"].update(maskedPaths=["/link/secret", "/d/mnt/hidden", "/proc/nosuch"], readonlyPaths=["/d/mnt/kept"])

    with living(change, lambda made: os.symlink("d/mnt", os.path.join(made.rootfs, "link"))) as box:
        box.root = box.bundle.rootfs
        box.protected = ("secret", "hidden", "kept")
        yield box


def test_mask_in_a_volume(with_protected_volume):
    """By whatever path the configuration or the command have it."""
    box = with_protected_volume
    before = box.mounts()
    for name in box.protected:
        assert "to protect" in box.change("remove", {"destination": f"/d/mnt/{name}"}).error
        assert re.search("symbolic links|to protect", box.change("remove", {"destination": f"/link/{name}"}).error)
    assert box.mounts() == before


def test_mask_that_the_container_has_moved(with_protected_volume):
    """With the directory that the volume is in. What cannot be one can be removed."""
    box = with_protected_volume
    os.rename(f"{box.root}/d", f"{box.root}/a")
    for again in (False, True):
        before = box.mounts()
        for name in box.protected:
            error = box.change("remove", {"destination": f"/a/mnt/{name}"}).error
            assert "may be what protected" in error and "not there any more" in error
        assert box.mounts() == before
        box.add(tmpfs("/place"))
        box.remove("/place")
        os.makedirs(f"{box.root}/d/mnt/kept", exist_ok=True)


@pytest.fixture
def on_shared_volume(living, tmp_path):
    """A container that has a directory of the host as a volume, whose mounts are the host's too."""
    for name in ("volume/inner", "volume/other"):
        tmp_path.joinpath(name).mkdir(parents=True)
    volume = str(tmp_path / "volume")
    libc.mount("tmpfs", volume, "tmpfs")
    libc.mount(None, volume, None, libc.MS_SHARED)
    for name in ("inner", "other"):
        os.mkdir(f"{volume}/{name}")
    libc.mount("tmpfs", f"{volume}/inner", "tmpfs")

    def change(config):
        config["linux"]["rootfsPropagation"] = "shared"
        config["mounts"].append({**bind(volume, "/place"), "options": ["rbind", "rshared"]})
        config["mounts"].append(tmpfs("/tmp"))

    try:
        with living(change) as box:
            box.volume = volume
            yield box
    finally:
        libc.umount(f"{volume}/inner")
        libc.umount(volume)


def test_mounts_of_the_host_on_a_shared_volume(on_shared_volume):
    """What is mounted there, or taken from there, would be so on the host."""
    box = on_shared_volume
    before = mountinfo()
    for action, place in (("add", "/place/other"), ("remove", "/place/inner")):
        assert f"{place} is on a shared mount" in box.change(action, tmpfs(place)).error
        assert mountinfo() == before
    # Not even on one that is added.
    error = box.change("add", {**bind(box.volume, "/tmp/in"), "options": ["rbind", "rshared"]}, tmpfs("/tmp/in/other")).error
    assert "/tmp/in/other is on a shared mount" in error
    assert mountinfo() == before


def test_shared_volume_goes_alone(on_shared_volume):
    """What is mounted below it stays on the host."""
    box = on_shared_volume
    before = mountinfo()
    box.add({**bind(box.volume, "/tmp/in"), "options": ["rbind", "rshared"]})
    box.remove("/tmp/in")
    assert mountinfo() == before


def test_removing_what_the_kernel_keeps(living, source):
    """What comes from the host together is not taken apart in a user namespace. Which are gone then is said."""
    source.joinpath("inner").mkdir()
    libc.mount("tmpfs", str(source / "inner"), "tmpfs")
    try:
        with living(user_namespace, places) as box:
            box.add({**bind(source, "/place"), "options": ["rbind"]}, tmpfs("/place2/made"))
            error = box.change("remove", {"destination": "/place2/made"}, {"destination": "/place/inner"}).error
            assert "/place2/made removed, then: /mounts/1/destination: " in error
            assert {"/place", "/place/inner"} <= set(box.points()) and "/place2/made" not in box.points()
            box.remove("/place")
    finally:
        libc.umount(str(source / "inner"))


@both_users
def test_readonly_from_the_first_moment(living, busybox, change):
    """A tmpfs that nothing later goes into takes no file of a program that tries all the time."""
    def try_all_the_time(config):
        (change or (lambda config: None))(config)
        config["process"]["args"] = ["/bin/sh", "-c", "cd /; while :; do echo >/many/ro/made; done 2>/dev/null"]

    def prepare(made):
        places(made)
        made.busybox(busybox)
        for number in range(300):
            os.makedirs(os.path.join(made.rootfs, f"many/{number}"))
        os.makedirs(os.path.join(made.rootfs, "many/ro"))

    with living(try_all_the_time, prepare) as box:
        box.add(tmpfs("/many/ro", "ro", "mode=777"), *[tmpfs(f"/many/{number}") for number in range(300)])
        assert box.report("--list", "/many/ro").lists["/many/ro"] == {}
        assert "ro" in box.mount("/many/ro")["options"]
        box.add(tmpfs("/place", "ro"), tmpfs("/place/in"))
        assert "ro" in box.mount("/place")["options"] and "rw" in box.mount("/place/in")["options"]


def test_undone_where_the_container_helps(living, source):
    """It takes one of the mounts away itself, before a later one fails."""
    with living(prepare=lambda made: os.makedirs(os.path.join(made.rootfs, "place/d"))) as box:
        before = box.mounts()
        helper = os.fork()
        if helper == 0:
            try:
                libc.setns(os.open(f"/proc/{box.pid}/ns/mnt", os.O_RDONLY), libc.CLONE_NEWNS)
                end = time.monotonic() + 10
                while time.monotonic() < end:
                    with contextlib.suppress(OSError):
                        libc.umount("/place/300")
                        os._exit(0)
            finally:
                os._exit(1)
        mounts = [tmpfs(f"/place/{number}") for number in range(600)]
        assert "/mounts/600" in box.change("add", *mounts, bind(source / "file", "/place/d")).error
        assert os.waitpid(helper, 0)[1] == 0
        assert box.mounts() == before


def test_links_stay_in_the_container(living, source, tmp_path):
    """Destinations are below its root, whatever it makes of them."""
    outside = tmp_path / "outside"
    outside.mkdir()

    def prepare(made):
        os.symlink(str(outside), os.path.join(made.rootfs, "absolute"))
        os.symlink("../../../../../../../.." + str(outside), os.path.join(made.rootfs, "upwards"))

    with living(prepare=prepare) as box:
        before = mountinfo()
        box.add(bind(source, "/absolute/a"), bind(source, "/upwards/b"), bind(source, "/../../c"))
        assert mountinfo() == before and os.listdir(outside) == []
        assert {f"{outside}/a", f"{outside}/b", "/c"} <= set(box.points())
        assert "symbolic links (name the mount by the path that it is at)" in box.change(
            "remove", {"destination": "/absolute/a"}).error
        box.remove(f"{outside}/a", f"{outside}/b", "/c")
        assert os.path.exists(f"{source}/file")


def test_magic_links_are_not_followed(living):
    with living(prepare=lambda made: os.symlink("/proc/self/root", os.path.join(made.rootfs, "magic"))) as box:
        before = mountinfo()
        assert box.change("add", tmpfs("/magic/etc")).error
        assert mountinfo() == before


def test_race_with_the_container(living, tmp_path, canary_tree):
    """It exchanges a directory on the way with a link to the host's, all the time."""
    def prepare(made):
        os.makedirs(os.path.join(made.rootfs, "way/in"))
        os.symlink(canary_tree, os.path.join(made.rootfs, "link"))

    with living(prepare=prepare) as box:
        before = mountinfo()
        with exchanging(os.path.join(box.bundle.rootfs, "way"), os.path.join(box.bundle.rootfs, "link")):
            outcomes = [box.change("add", tmpfs(f"/way/in/{number}")).ok for number in range(60)]
            assert mountinfo() == before
        assert any(outcomes)
        assert sorted(os.listdir(canary_tree)) == ["file"]


@pytest.fixture
def canary_tree(tmp_path):
    made = tmp_path / "canary"
    made.mkdir()
    made.joinpath("file").write_text("canary")
    return str(made)


def test_the_container_sees_no_process_of_the_host(living, source):
    """Its own pid namespace has no new process, and nobody's /proc shows one."""
    def change(config):
        for names in config["process"]["capabilities"].values():
            names += ["CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH", "CAP_SYS_ADMIN"]

    host = os.stat("/")
    with living(change) as box:
        watcher = box.runtime.popen("exec", box.id, "/probe", "watch", str(host.st_dev), str(host.st_ino), "SECRET=x",
                                    stdout=subprocess.PIPE)
        assert watcher.stdout.readline() == b"ready\n"
        for _ in range(10):
            box.add(bind(source, "/place"), env={**os.environ, "SECRET": "x"})
            box.remove("/place")
        watcher.send_signal(signal.SIGUSR1)
        looks, *found = watcher.stdout.read().decode().splitlines()
        watcher.stdout.close()
        watcher.wait(5)
        assert found == [], looks


@both_users
def test_mount_namespace_of_the_container_s_making(container, bundle, busybox, source, change):
    """In a user namespace that it made, its first process could take the flags off a mount."""
    def make(config):
        (change or (lambda config: None))(config)
        config["process"].update(args=["/bin/sh", "-c", "exec unshare -Urm sh -c 'echo made; exec sleep 1000'"],
                                 env=["PATH=/bin"])
        for names in config["process"]["capabilities"].values():
            names.append("CAP_SETFCAP")  # Docker's default has it too: to map root in a new user namespace

    made = bundle(change=make)
    made.busybox(busybox, "unshare", "sleep")
    with container(made) as box:
        process = box.background(stdout=subprocess.PIPE)
        try:
            assert process.stdout.readline() == b"made\n"
            before = Living(box).mounts()
            for action in ("add", "remove"):
                error = Living(box).change(action, bind(source, "/dev/shm", "ro")).error
                assert "left the mount namespace that was made for it" in error
            assert Living(box).mounts() == before
        finally:
            box.must("kill", "KILL")
            process.stdout.close()
            process.wait()


def test_killed_half_way(living, source):
    """SIGKILL of the command leaves all of the mounts, or none."""
    with living() as box:
        before = box.points()
        names = [f"/place/{number}" for number in range(200)]
        document = source.joinpath("mounts.json")
        document.write_text(json.dumps([tmpfs(name) for name in names]))
        add = ("mounts", "add", box.id, str(document))
        duration = box.runtime(*add).seconds
        box.remove(*names)
        seen = set()
        for attempt in range(20):
            process = box.runtime.popen(*add)
            time.sleep(duration * attempt / 20)
            process.kill()
            process.wait()
            seen.add(stable(lambda: len(box.points()) - len(before)))
            if "/place/0" in box.points():
                box.remove(*names)
        assert seen == {0, len(names)}


def stable(value, seconds=0.2):
    """The value when it has not changed for a while."""
    last, since = value(), time.monotonic()
    while time.monotonic() - since < seconds:
        time.sleep(0.02)
        now = value()
        if now != last:
            last, since = now, time.monotonic()
    return last


def test_others_need_not_wait(living, source):
    """No lock is held while the container's file systems are asked: kill and delete work."""
    with living() as box:
        for number in range(5):
            box.add(bind(source, f"/place/{number}"))
        assert stat.S_ISDIR(os.stat(f"/proc/{box.pid}/root/place/4").st_mode)
        assert box.runtime("delete", "--force", box.id).ok
