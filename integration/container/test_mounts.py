"""Mounts: types, options, propagation, masked and read-only paths."""

import errno
import os
import shutil
import stat
import subprocess

import pytest

from harness.configurations import with_user_namespace


def add_mounts(*mounts):
    def change(config):
        config["mounts"] += mounts
    return change


def mount(destination, type="tmpfs", source="tmpfs", options=()):
    return {"destination": destination, "type": type, "source": source, "options": list(options)}


def bind(source, destination, *options):
    return mount(destination, "bind", source, ["bind", *options])


@pytest.fixture
def shared_directory(tmp_path):
    """A directory of the host with a file and a mount in it."""
    (tmp_path / "file").write_text("of the host")
    (tmp_path / "inner").mkdir()
    return tmp_path


def test_root_is_the_rootfs(report):
    seen = report("--list", "/", "--try", "create:/made")
    assert set(seen.lists["/"]) == {"dev", "etc", "proc", "probe", "run", "sys", "tmp", "place"}
    assert seen.tries["create:/made"] == 0
    assert seen.mounts[0]["point"] == "/"


def test_nothing_of_the_host_is_mounted(report):
    points = [m["point"] for m in report().mounts]
    assert sorted(points) == sorted(["/", "/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys"])


def test_readonly_root(report):
    def change(config):
        config["root"]["readonly"] = True

    seen = report("--try", "create:/made", "--try", "create:/tmp/made", "--try", "create:/dev/shm/made", change=change)
    assert seen.tries == {"create:/made": errno.EROFS, "create:/tmp/made": errno.EROFS, "create:/dev/shm/made": 0}
    assert "ro" in seen.mount("/")["options"]


def test_root_path_outside_the_bundle(report, bundle, container, tmp_path):
    made = bundle("exit", 9, write=False)
    os.rename(made.rootfs, tmp_path / "elsewhere")
    made.config["root"]["path"] = str(tmp_path / "elsewhere")
    made.write()
    with container(made) as box:
        assert box.run().status == 9


def test_types_and_options_of_the_usual_mounts(report):
    seen = report("--stat", "/dev", "--stat", "/dev/shm", "--stat", "/dev/ptmx", "--stat", "/dev/pts/ptmx")
    for point, fstype in {"/proc": "proc", "/dev": "tmpfs", "/dev/pts": "devpts", "/dev/shm": "tmpfs",
                          "/dev/mqueue": "mqueue", "/sys": "sysfs"}.items():
        assert seen.mount(point)["fstype"] == fstype
    assert {"nosuid", "nodev", "noexec"} <= seen.mount("/proc")["options"]
    assert "nosuid" in seen.mount("/dev")["options"] and "noexec" not in seen.mount("/dev")["options"]
    assert "relatime" not in seen.mount("/dev")["options"]  # strictatime
    assert {"ro", "nosuid", "nodev", "noexec"} <= seen.mount("/sys")["options"]
    assert "size=65536k" in seen.mount("/dev")["super"]
    assert seen.mount("/dev/pts")["super"] >= {"gid=5", "mode=620", "ptmxmode=666"}
    assert seen.stats["/dev"]["mode"] == 0o755
    assert seen.stats["/dev/shm"]["mode"] == 0o1777
    assert seen.stats["/dev/pts/ptmx"]["mode"] == 0o666


@pytest.mark.parametrize("options, present, absent", [
    (["ro"], {"ro"}, {"rw"}),
    (["ro", "rw"], {"rw"}, {"ro"}),
    (["nosuid", "nodev", "noexec"], {"nosuid", "nodev", "noexec"}, set()),
    (["nosuid", "suid", "noexec", "exec", "nodev", "dev"], set(), {"nosuid", "noexec", "nodev"}),
    (["noatime"], {"noatime"}, {"relatime"}),
    (["nodiratime"], {"nodiratime"}, set()),
    (["relatime"], {"relatime"}, set()),
    (["strictatime"], set(), {"relatime", "noatime"}),
    (["nosymfollow"], {"nosymfollow"}, set()),
])
def test_mount_attributes(report, options, present, absent):
    """For a new file system and for a bind mount alike."""
    seen = report(change=add_mounts(mount("/place", options=options), bind("/usr/share", "/bound", *options)))
    for point in ("/place", "/bound"):
        assert present <= seen.mount(point)["options"], point
        assert not absent & seen.mount(point)["options"], point


def test_tmpfs_data(report):
    seen = report("--stat", "/place", change=add_mounts(
        mount("/place", options=["size=1m", "mode=0700", "uid=7", "gid=8", "nr_inodes=100"])))
    assert {"size=1024k", "nr_inodes=100"} <= seen.mount("/place")["super"]
    assert (seen.stats["/place"]["mode"], seen.stats["/place"]["uid"], seen.stats["/place"]["gid"]) == (0o700, 7, 8)


def test_unknown_file_system_option(run):
    error = run("exit", 0, change=add_mounts(mount("/place", options=["nosuchoption=1"]))).error
    assert "nosuchoption" in error or "/place" in error


def test_unknown_file_system(run):
    error = run("exit", 0, change=add_mounts(mount("/place", type="nosuchfs"))).error
    assert "nosuchfs" in error and "No such device" in error


def test_bind_mount(report, shared_directory):
    seen = report("--read", "/place/file", "--try", "create:/place/made",
                  change=add_mounts(bind(str(shared_directory), "/place", "rprivate")))
    assert seen.file("/place/file") == "of the host"
    assert seen.tries["create:/place/made"] == 0


def test_bind_mount_of_a_file(report, shared_directory):
    seen = report("--read", "/etc/file", change=add_mounts(bind(str(shared_directory / "file"), "/etc/file", "ro")))
    assert seen.file("/etc/file") == "of the host"
    assert "ro" in seen.mount("/etc/file")["options"]


def test_bind_mount_without_the_type(report, shared_directory):
    """Only the option says that it is one; the type is "none" or left out."""
    for type_fields in ({"type": "none"}, {}):
        entry = {"destination": "/place", "source": str(shared_directory), "options": ["rbind"], **type_fields}
        assert report("--read", "/place/file", change=add_mounts(entry)).file("/place/file") == "of the host"


def test_relative_bind_source_is_in_the_bundle(bundle, container):
    made = bundle("report", "--read", "/place/f", change=add_mounts(bind("files", "/place")))
    made.file("files/f", "relative")
    with container(made) as box:
        assert box.run().report.file("/place/f") == "relative"


def test_relative_destination_is_below_the_root(report):
    """Deprecated, but allowed since 1.2 of the specification."""
    seen = report(change=add_mounts(mount("place"), mount("../run")))
    assert seen.mount("/place")["fstype"] == seen.mount("/run")["fstype"] == "tmpfs"


def test_missing_mount_points_are_made(report, shared_directory):
    seen = report("--stat", "/a/b/c", "--stat", "/d/e/file", "--stat", "/f/g", change=add_mounts(
        mount("/a/b/c"), bind(str(shared_directory / "file"), "/d/e/file"), bind(str(shared_directory), "/f/g")))
    assert seen.stats["/a/b/c"]["type"] == "directory"
    assert seen.stats["/d/e/file"]["type"] == "file"
    assert seen.has_mount("/a/b/c") and seen.has_mount("/d/e/file") and seen.has_mount("/f/g")


def test_bind_leaves_inner_mounts_out_and_rbind_takes_them(report, shared_directory, in_own_mount):
    inner = in_own_mount(str(shared_directory / "inner"))
    (shared_directory / "inner" / "deep").write_text("deep")
    assert inner
    seen = report("--read", "/place/inner/deep", change=add_mounts(bind(str(shared_directory), "/place")))
    assert seen.file("/place/inner/deep") == errno.ENOENT
    seen = report("--read", "/place/inner/deep", change=add_mounts(
        mount("/place", "bind", str(shared_directory), ["rbind"])))
    assert seen.file("/place/inner/deep") == "deep"


@pytest.fixture
def in_own_mount():
    from harness import libc
    made = []

    def mount_tmpfs(path):
        libc.mount("tmpfs", path, "tmpfs")
        made.append(path)
        return path

    yield mount_tmpfs
    for path in reversed(made):
        libc.umount(path)


def test_recursive_read_only(report, shared_directory, in_own_mount):
    """rro: the mounts in the tree too; ro: the upper one alone."""
    in_own_mount(str(shared_directory / "inner"))
    tries = ["--try", "create:/place/made", "--try", "create:/place/inner/made"]
    seen = report(*tries, change=add_mounts(mount("/place", "bind", str(shared_directory), ["rbind", "ro"])))
    assert list(seen.tries.values()) == [errno.EROFS, 0]
    seen = report(*tries, change=add_mounts(mount("/place", "bind", str(shared_directory), ["rbind", "rro"])))
    assert list(seen.tries.values()) == [errno.EROFS, errno.EROFS]


RECURSIVE = [
    # option, what the mounts have before, what both have after it
    ("rro", [], {"ro"}, set()), ("rrw", ["ro"], set(), {"ro"}),
    ("rnosuid", [], {"nosuid"}, set()), ("rsuid", ["nosuid"], set(), {"nosuid"}),
    ("rnodev", [], {"nodev"}, set()), ("rdev", ["nodev"], set(), {"nodev"}),
    ("rnoexec", [], {"noexec"}, set()), ("rexec", ["noexec"], set(), {"noexec"}),
    ("rnodiratime", [], {"nodiratime"}, set()), ("rdiratime", ["nodiratime"], set(), {"nodiratime"}),
    ("rnosymfollow", [], {"nosymfollow"}, set()), ("rsymfollow", ["nosymfollow"], set(), {"nosymfollow"}),
    ("rnoatime", [], {"noatime"}, {"relatime"}), ("rstrictatime", [], set(), {"relatime", "noatime"}),
    ("rrelatime", ["noatime"], {"relatime"}, {"noatime"}), ("ratime", ["noatime"], {"relatime"}, {"noatime"}),
    ("rnorelatime", ["noatime"], {"noatime"}, set()), ("rnostrictatime", ["noatime"], {"noatime"}, set()),
]


@pytest.mark.parametrize("option, before, present, absent", RECURSIVE, ids=[case[0] for case in RECURSIVE])
def test_recursive_attributes(report, view, shared_directory, in_own_mount, option, before, present, absent):
    """The tree that is bound has two mounts, and the option is for both."""
    inner = shared_directory / "inner"
    in_own_mount(str(shared_directory))
    inner.mkdir()
    in_own_mount(str(inner))
    if before:
        for path in (shared_directory, inner):
            # In the view: a remount is not one of the things that propagate.
            subprocess.run([*view.entry, "mount", "-o", ",".join(["remount", "bind", *before]), path], check=True)
    seen = report(change=add_mounts(mount("/place", "none", str(shared_directory), ["rbind", option])))
    for point in ("/place", "/place/inner"):
        assert present <= seen.mount(point)["options"], point
        assert not absent & seen.mount(point)["options"], point


@pytest.mark.parametrize("option", ["sync", "dirsync", "lazytime", "mand"])
def test_flags_of_a_file_system(report, option):
    seen = report(change=add_mounts(mount("/place", options=[option])))
    # Linux 5.15 took mandatory locking away; the flag is accepted and shown as before.
    assert option in seen.mount("/place")["super"] | seen.mount("/place")["options"]


@pytest.mark.parametrize("options", [["sync", "async"], ["lazytime", "nolazytime"], ["mand", "nomand"], ["loud", "silent"],
                                     ["iversion", "noiversion"], ["defaults"], ["atime", "diratime", "symfollow"],
                                     ["strictatime", "nostrictatime"], ["norelatime"]])
def test_flags_that_are_taken_back_or_say_nothing(report, options):
    found = report(change=add_mounts(mount("/place", options=options))).mount("/place")
    assert found["options"] == {"rw", "relatime"}
    assert not found["super"] & {"sync", "lazytime", "mand"}


def test_missing_bind_source(run):
    error = run("exit", 0, change=add_mounts(bind("/does/not/exist", "/place"))).error
    assert "/does/not/exist" in error and "No such file or directory" in error


def test_later_mounts_cover_earlier_ones(report):
    seen = report("--list", "/place", change=add_mounts(mount("/place/a"), mount("/place", options=["size=1m"])))
    assert seen.lists["/place"] == {}


def test_tmpcopyup(bundle, container):
    made = bundle("report", "--read", "/place/kept", "--stat", "/place/dir/deep", "--try", "create:/place/new",
                  change=add_mounts(mount("/place", options=["tmpcopyup", "size=1m"])))
    with open(made.rootfs + "/place/kept", "w") as file:
        file.write("kept")
    os.mkdir(made.rootfs + "/place/dir")
    os.symlink("../kept", made.rootfs + "/place/dir/deep")
    with container(made) as box:
        seen = box.run().report
    assert seen.file("/place/kept") == "kept"
    assert seen.stats["/place/dir/deep"]["target"] == "../kept"
    assert seen.mount("/place")["fstype"] == "tmpfs"
    assert not os.path.exists(made.rootfs + "/place/new")


def test_tmpcopyup_keeps_everything(bundle, container):
    """Owners, modes, times, nodes and extended attributes, of the directory itself the owner too; a label is not copied."""
    made = bundle("report", *[arg for name in ("", "/file", "/dir", "/node", "/pipe", "/link") for arg in
                              ("--stat", "/place" + name)], change=add_mounts(mount("/place", options=["tmpcopyup"])))
    place = made.rootfs + "/place"
    with open(place + "/file", "w") as file:
        file.write("text")
    os.mkdir(place + "/dir")
    os.mknod(place + "/node", 0o640 | stat.S_IFCHR, os.makedev(1, 3))
    os.mkfifo(place + "/pipe")
    os.symlink("file", place + "/link")
    for number, name in enumerate(("", "/file", "/dir", "/node", "/pipe", "/link")):
        os.chown(place + name, 10 + number, 20 + number, follow_symlinks=False)
    os.chmod(place + "/file", 0o4755)
    os.chmod(place + "/dir", 0o1755)
    for name in ("/file", "/dir"):
        os.setxattr(place + name, "user.kept", b"value")
        os.setxattr(place + name, "trusted.kept", b"too")
        os.setxattr(place + name, "security.other", b"not")
    for number, name in enumerate(("/file", "/dir", "/node", "/pipe", "/link")):
        os.utime(place + name, (1000, 2000 + number), follow_symlinks=False)
    with container(made) as box:
        stats = box.run().report.stats
    assert [(found["uid"], found["gid"]) for found in stats.values()] == [(10 + n, 20 + n) for n in range(6)]
    assert [stats["/place" + name]["modified"] for name in ("/file", "/dir", "/node", "/pipe", "/link")] == [
        2000 + n for n in range(5)]
    assert (stats["/place/file"]["mode"], stats["/place/dir"]["mode"]) == (0o4755, 0o1755)
    for name in ("/place/file", "/place/dir"):
        assert stats[name]["attributes"]["user.kept"] == "value"
        assert "security.other" not in stats[name]["attributes"]
    assert (stats["/place/node"]["type"], stats["/place/node"]["minor"]) == ("char", 3)
    assert stats["/place/pipe"]["type"] == "fifo"
    assert stats["/place/link"]["target"] == "file"


def test_tmpcopyup_of_file_capabilities(bundle, container, probe):
    """Without them a program that was copied loses what it may do."""
    made = bundle("report", "--stat", "/place/program", change=add_mounts(mount("/place", options=["tmpcopyup"])))
    shutil.copy(probe, made.rootfs + "/place/program")
    subprocess.run(["setcap", "cap_kill+ep", made.rootfs + "/place/program"], check=True)
    with container(made) as box:
        assert "security.capability" in box.run().report.stats["/place/program"]["attributes"]


def test_mount_through_a_symbolic_link_in_the_container(bundle, container, shared_directory):
    """Links are followed within the container's root, absolute ones too."""
    made = bundle("report", "--read", "/real/file", change=add_mounts(bind(str(shared_directory), "/link")))
    os.mkdir(made.rootfs + "/real")
    os.symlink("/real", made.rootfs + "/link")
    with container(made) as box:
        assert box.run().report.file("/real/file") == "of the host"


@pytest.mark.parametrize("option, fields", [
    (name, fields) for name, fields in (("private", set()), ("slave", {"master"}), ("unbindable", {"unbindable"}),
                                        ("shared", {"shared", "master"})) for name in (name, "r" + name)])
def test_propagation_of_a_mount(report, shared_directory, in_own_mount, option, fields):
    """The host's mount is shared; the container's namespace is its slave before the option counts."""
    in_own_mount(str(shared_directory / "inner"))
    seen = report(change=add_mounts(mount("/place", "bind", str(shared_directory / "inner"), ["rbind", option])))
    found = {tag.split(":")[0] for tag in seen.mount("/place")["propagation"]}
    assert found == fields


@pytest.mark.parametrize("value", [None, "private", "rprivate", "slave", "rslave", "unbindable"])
def test_rootfs_propagation(report, value):
    def change(config):
        if value:
            config["linux"]["rootfsPropagation"] = value

    found = report(change=change).mount("/")["propagation"]
    if value == "unbindable":
        assert found == ["unbindable"]
    else:
        assert not any(tag.startswith("shared") for tag in found)


def test_shared_rootfs(report):
    """What is mounted below it later is not seen by the host (nothing_left looks), but by who copies the namespace."""
    found = report(change=lambda config: config["linux"].update(rootfsPropagation="shared")).mount("/")["propagation"]
    assert [tag.split(":")[0] for tag in found] == ["shared"]


def test_masked_paths(bundle, container):
    made = bundle("report", "--read", "/secret", "--list", "/hidden", "--read", "/proc/kcore", "--try", "unlink:/secret",
                  "--try", "create:/hidden/x", "--stat", "/secret", "--list", "/sys/firmware",
                  change=lambda config: config["linux"].update(
                      maskedPaths=["/secret", "/hidden", "/proc/kcore", "/proc/acpi", "/sys/firmware",
                                   "/not/there"]))
    with open(made.rootfs + "/secret", "w") as file:
        file.write("secret")
    os.mkdir(made.rootfs + "/hidden")
    open(made.rootfs + "/hidden/inside", "w").close()
    with container(made) as box:
        seen = box.run().report
    assert seen.file("/secret") == ""
    assert (seen.stats["/secret"]["major"], seen.stats["/secret"]["minor"]) == (1, 3)
    assert seen.lists["/hidden"] == {}
    assert seen.tries["create:/hidden/x"] == errno.EROFS
    assert seen.tries["unlink:/secret"] in (errno.EBUSY, errno.EROFS)
    assert seen.lists["/sys/firmware"] == {}
    if os.path.exists("/proc/kcore"):
        assert seen.file("/proc/kcore") == ""
    assert not os.path.exists(made.rootfs + "/not")


def test_readonly_paths(bundle, container):
    made = bundle("report", "--try", "write:/proc/sys/kernel/hostname", "--try", "create:/kept/x",
                  "--try", "create:/place/x", "--read", "/kept/file", "--try", "write:/proc/sysrq-trigger",
                  change=lambda config: config["linux"].update(
                      readonlyPaths=["/proc/sys", "/proc/sysrq-trigger", "/kept", "/not/there"]))
    os.mkdir(made.rootfs + "/kept")
    with open(made.rootfs + "/kept/file", "w") as file:
        file.write("content")
    with container(made) as box:
        seen = box.run().report
    assert seen.tries["write:/proc/sys/kernel/hostname"] == errno.EROFS
    if os.path.exists("/proc/sysrq-trigger"):
        assert seen.tries["write:/proc/sysrq-trigger"] == errno.EROFS
    assert seen.tries["create:/kept/x"] == errno.EROFS
    assert seen.tries["create:/place/x"] == 0
    assert seen.file("/kept/file") == "content"


def test_readonly_paths_keep_their_flags(report):
    """A read-only remount must not take nosuid, nodev and noexec away."""
    seen = report(change=lambda config: config["linux"].update(readonlyPaths=["/proc/sys"]))
    assert {"ro", "nosuid", "nodev", "noexec"} <= seen.mount("/proc/sys")["options"]


def test_rootfs_of_the_host_is_not_made_read_only(bundle, container):
    made = bundle("exit", 0, change=lambda config: config["root"].update(readonly=True))
    with container(made) as box:
        box.must("run")
    with open(made.rootfs + "/still-writable", "w"):
        pass


def test_remount_changes_a_mount_and_its_file_system(report):
    place = mount("/place", options=["size=1m", "nosuid"])
    seen = report("--try", "create:/place/made", change=add_mounts(
        place, mount("/place", options=["remount", "size=2m", "noexec", "ro"])))
    found = seen.mount("/place")
    assert {"ro", "nosuid", "noexec"} <= found["options"]
    assert {"ro", "size=2048k"} <= found["super"]
    assert seen.tries["create:/place/made"] == errno.EROFS
    seen = report("--try", "create:/place/made", change=add_mounts(
        mount("/place", options=["size=1m", "ro"]), mount("/place", options=["remount", "rw"])))
    assert seen.tries["create:/place/made"] == 0


def test_remount_with_bind_changes_the_mount_alone(report, shared_directory):
    seen = report("--try", "create:/place/made", change=add_mounts(
        bind(str(shared_directory), "/place"), mount("/place", "", "", ["remount", "bind", "ro", "nodev"])))
    assert {"ro", "nodev"} <= seen.mount("/place")["options"]
    assert "ro" not in seen.mount("/place")["super"]
    assert seen.tries["create:/place/made"] == errno.EROFS


def test_remount_of_dev_waits_for_what_goes_into_it(report):
    seen = report("--try", "create:/dev/made", "--try", "write:/dev/null", change=add_mounts(
        mount("/dev", options=["remount", "ro"]), mount("/dev/later")))
    assert seen.tries == {"create:/dev/made": errno.EROFS, "write:/dev/null": 0}
    assert seen.mount("/dev/later")


@pytest.mark.parametrize("place", ["/place", "/missing"])
def test_remount_of_what_is_not_mounted(run, place):
    error = run("exit", 0, change=add_mounts(mount(place, options=["remount", "ro"]))).error
    assert "/mounts/6" in error and place in error


def test_a_file_on_a_directory_and_the_other_way_round(run, bundle, container, shared_directory):
    error = run("exit", 0, change=add_mounts(bind(str(shared_directory / "file"), "/place"))).error
    assert f"not a directory: {shared_directory}/file is a file, and /place in the container is a directory" in error
    made = bundle("exit", 0, change=add_mounts(bind(str(shared_directory), "/etc/file")))
    open(made.rootfs + "/etc/file", "w").close()
    with container(made) as box:
        error = box.run().error
    assert f"not a directory: {shared_directory} is a directory, and /etc/file in the container is a file" in error
    for options in ([], ["tmpcopyup"]):
        made = bundle("exit", 0, change=add_mounts(mount("/etc/file", options=options)))
        open(made.rootfs + "/etc/file", "w").close()
        with container(made) as box:
            error = box.run().error
        assert "not a directory: tmpfs is a directory, and /etc/file in the container is a file" in error


def test_remount_follows_no_link(bundle, container):
    """An image could turn what is meant for a volume on the container's read-only /sys."""
    made = bundle("exit", 0, change=add_mounts(mount("/volume", options=["remount", "rw"])))
    os.symlink("sys", made.rootfs + "/volume")
    with container(made) as box:
        assert "/mounts/6" in box.run().error


@pytest.fixture
def disk(tmp_path):
    """A block device with an ext4 that has a file in it."""
    image = tmp_path / "image"
    (tmp_path / "content").mkdir()
    (tmp_path / "content/file").write_text("of the disk")
    subprocess.run(["mkfs.ext4", "-q", "-d", tmp_path / "content", image, "4M"], check=True)
    device = subprocess.run(["losetup", "--find", "--show", image], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    yield device
    subprocess.run(["losetup", "--detach", device], check=True)


@pytest.mark.parametrize("user", [False, True])
@pytest.mark.parametrize("options", [["ro", "noload"], ["rw", "noatime", "data=ordered"]])
def test_file_system_of_a_block_device(report, disk, options, user):
    """The device rules are the container's own: what it may see is not what it may open."""
    def change(config):
        config["mounts"].append(mount("/place", "ext4", disk, options))
        if user:
            config["mounts"][-1]["options"].append("idmap")
            with_user_namespace(config)

    seen = report("--read", "/place/file", "--try", "create:/place/made", "--stat", "/place/file", change=change)
    assert seen.file("/place/file") == "of the disk"
    assert seen.tries["create:/place/made"] == (errno.EROFS if "ro" in options else 0)
    assert seen.mount("/place")["fstype"] == "ext4"
    assert seen.stats["/place/file"]["uid"] == 0


def test_overlay(report, tmp_path):
    """With a comma in one of its paths, which mount(8) wants escaped."""
    for name in ("low,er", "upper", "work"):
        (tmp_path / name).mkdir()
    (tmp_path / "low,er/file").write_text("below")
    escaped = str(tmp_path / "low,er").replace(",", "\\,")
    seen = report("--read", "/place/file", "--try", "create:/place/made", change=add_mounts(mount(
        "/place", "overlay", "overlay", [f"lowerdir={escaped}", f"upperdir={tmp_path}/upper,workdir={tmp_path}/work"])))
    assert seen.file("/place/file") == "below"
    assert seen.tries["create:/place/made"] == 0


def test_message_queues_are_the_container_s_root_s_own(report):
    """Also in a user namespace: whoever makes an ipc namespace owns its queues."""
    found = report("--stat", "/dev/mqueue", change=with_user_namespace).stats["/dev/mqueue"]
    assert (found["uid"], found["gid"], found["mode"]) == (0, 0, 0o1777)


def test_links_are_copied_or_followed_or_refused(bundle, container, tmp_path):
    """What Podman writes for files that may be links: copy-symlink, src-nofollow, dest-nofollow."""
    (tmp_path / "file").write_text("of the host")
    os.symlink("nowhere", tmp_path / "link")
    made = bundle("report", "--stat", "/etc/copied", "--stat", "/etc/nofollow", "--read", "/etc/target", change=add_mounts(
        bind(str(tmp_path / "link"), "/etc/copied", "copy-symlink"),
        bind(str(tmp_path / "link"), "/etc/nofollow", "src-nofollow", "dest-nofollow"),
        bind(str(tmp_path / "file"), "/etc/target", "copy-symlink")))
    os.symlink("/etc/elsewhere", made.rootfs + "/etc/nofollow")
    with container(made) as box:
        seen = box.run().report
    assert seen.stats["/etc/copied"]["target"] == "nowhere"
    assert seen.stats["/etc/nofollow"]["target"] == "nowhere"
    assert seen.file("/etc/target") == "of the host"
    assert not os.path.lexists(made.rootfs + "/etc/elsewhere")


@pytest.mark.parametrize("kind", ["context", "fscontext", "defcontext", "rootcontext"])
def test_how_a_label_is_given(run, kind):
    """run.oci.mount_context_type. A kernel without SELinux refuses the option, and so shows that it was given."""
    def change(config):
        config["linux"]["mountLabel"] = "system_u:object_r:container_file_t:s0"
        config["annotations"] = {"run.oci.mount_context_type": kind}

    if os.path.exists("/sys/fs/selinux/enforce"):
        assert run("exit", 0, change=change).ok
    else:
        assert f"fsconfig({kind}=system_u:object_r:container_file_t:s0)" in run("exit", 0, change=change).error


def test_an_unknown_way_to_give_a_label(run):
    error = run("exit", 0, change=lambda config: config.update(annotations={"run.oci.mount_context_type": "x"})).error
    assert "/annotations/run.oci.mount_context_type" in error
