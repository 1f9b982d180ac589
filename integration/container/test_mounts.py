"""Mounts: types, options, propagation, masked and read-only paths."""

import errno
import os

import pytest


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
    for path in made:
        libc.umount(path)


def test_recursive_read_only(report, shared_directory, in_own_mount):
    """rro: the mounts in the tree too; ro: the upper one alone."""
    in_own_mount(str(shared_directory / "inner"))
    tries = ["--try", "create:/place/made", "--try", "create:/place/inner/made"]
    seen = report(*tries, change=add_mounts(mount("/place", "bind", str(shared_directory), ["rbind", "ro"])))
    assert list(seen.tries.values()) == [errno.EROFS, 0]
    seen = report(*tries, change=add_mounts(mount("/place", "bind", str(shared_directory), ["rbind", "rro"])))
    assert list(seen.tries.values()) == [errno.EROFS, errno.EROFS]


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


def test_mount_through_a_symbolic_link_in_the_container(bundle, container, shared_directory):
    """Links are followed within the container's root, absolute ones too."""
    made = bundle("report", "--read", "/real/file", change=add_mounts(bind(str(shared_directory), "/link")))
    os.mkdir(made.rootfs + "/real")
    os.symlink("/real", made.rootfs + "/link")
    with container(made) as box:
        assert box.run().report.file("/real/file") == "of the host"


@pytest.mark.parametrize("option, fields", [
    ("rprivate", set()), ("private", set()), ("rslave", {"master"}), ("unbindable", {"unbindable"}),
    ("rshared", {"shared", "master"})])
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


def test_id_mapped_mounts_are_refused_and_not_ignored(run, shared_directory):
    """A mount whose owners are other ones than asked for would be a hole."""
    def change(config):
        config["linux"]["namespaces"].append({"type": "user"})
        config["linux"]["uidMappings"] = config["linux"]["gidMappings"] = [
            {"containerID": 0, "hostID": 100000, "size": 65536}]
        entry = bind(str(shared_directory), "/place", "idmap")
        entry["uidMappings"] = entry["gidMappings"] = config["linux"]["uidMappings"]
        config["mounts"].append(entry)

    assert "/mounts/6/options/1" in run("exit", 0, change=change).error
