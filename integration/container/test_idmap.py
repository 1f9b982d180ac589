"""Id-mapped mounts: files of the host that seem to be somebody else's in the container."""

import errno
import os
import subprocess

import pytest

from harness import libc


def mapping(container, host, size):
    return [{"containerID": container, "hostID": host, "size": size}]


def bind(source, destination, *options, **more):
    return {"destination": destination, "type": "bind", "source": str(source), "options": ["bind", *options], **more}


def change(*mounts, user=None):
    """Adds mounts, and a user namespace whose root is the host's user `user`."""
    def change(config):
        config["mounts"] += mounts
        if user is not None:
            config["linux"]["namespaces"].append({"type": "user"})
            config["linux"]["uidMappings"] = mapping(0, user, 65536)
            config["linux"]["gidMappings"] = mapping(0, user + 1000, 65536)
    return change


@pytest.fixture
def source(tmp_path):
    """A directory with a file of host user 5 and one of root, and another file system in it."""
    for directory in (*tmp_path.parents[:3], tmp_path):
        os.chmod(directory, 0o755)
    os.chmod(tmp_path, 0o777)
    for name, owner in (("of5", 5), ("of0", 0)):
        (tmp_path / name).write_text(name)
        os.chown(tmp_path / name, owner, owner)
    inner = tmp_path / "inner"
    inner.mkdir()
    libc.mount("tmpfs", str(inner), "tmpfs")
    (inner / "deep").write_text("deep")
    os.chown(inner / "deep", 5, 5)
    yield tmp_path
    libc.umount(str(inner))


def owner(seen, path):
    found = seen.stats[path]
    return found["uid"], found["gid"]


STATS = ["--stat", "/place/of5", "--stat", "/place/of0"]


@pytest.mark.parametrize("options", [[], ["idmap"], ["ridmap"]])
def test_own_mappings_without_a_user_namespace(report, source, options):
    """Who the file system says is 0 is seen as 3 (uid) or 4 (gid); an id that is not mapped is nobody's."""
    seen = report(*STATS, change=change(bind(source, "/place", *options, uidMappings=mapping(0, 3, 5),
                                             gidMappings=mapping(0, 4, 5))))
    assert owner(seen, "/place/of0") == (3, 4)
    assert owner(seen, "/place/of5") == (65534, 65534)
    assert "idmapped" in seen.mount("/place")["options"]


def test_the_container_s_mapping(report, source):
    """The host's owners are the container's: what a user namespace without it shows as nobody's."""
    seen = report(*STATS, "--try", "create:/place/made", change=change(bind(source, "/place", "idmap"), user=200000))
    assert owner(seen, "/place/of0") == (0, 0) and owner(seen, "/place/of5") == (5, 5)
    assert seen.tries["create:/place/made"] == 0


def test_without_idmap_the_same_files_are_nobody_s(report, source):
    seen = report("--stat", "/place/deep", change=change(bind(source / "inner", "/place"), user=200000))
    assert owner(seen, "/place/deep") == (65534, 65534)


def test_own_mappings_in_a_user_namespace(report, source):
    """hostID is an id of the host, as in the maps of a user namespace, not one of the container."""
    entry = bind(source, "/place", "idmap", uidMappings=mapping(5, 200007, 1), gidMappings=mapping(5, 201008, 1))
    seen = report(*STATS, change=change(entry, user=200000))
    assert owner(seen, "/place/of5") == (7, 8)
    assert owner(seen, "/place/of0") == (65534, 65534)


def test_mappings_in_the_option(report, source):
    """Podman's -v SOURCE:DESTINATION:idmap=uids=...;gids=..., which crun invented."""
    option = "idmap=uids=0-10-1#5-11-1;gids=0-20-10"
    seen = report(*STATS, change=change(bind(source, "/place", option)))
    assert owner(seen, "/place/of0") == (10, 20)
    assert owner(seen, "/place/of5") == (11, 25)


def test_relative_mappings_in_the_option(report, source):
    seen = report(*STATS, change=change(bind(source, "/place", "idmap=uids=@5-6-1;gids=@5-7-1"), user=200000))
    assert owner(seen, "/place/of5") == (6, 7)


@pytest.mark.parametrize("options, owners", [
    (["rbind", "idmap"], (65534, 65534)), (["rbind", "ridmap"], (5, 5))])
def test_ridmap_maps_the_mounts_below(report, source, options, owners):
    entry = {"destination": "/place", "type": "none", "source": str(source), "options": options}
    seen = report("--stat", "/place/inner/deep", *STATS, change=change(entry, user=200000))
    assert owner(seen, "/place/of5") == (5, 5)
    assert owner(seen, "/place/inner/deep") == owners


def test_idmap_keeps_flags_and_propagation(report, source):
    """The copy is made outside the container's mount namespace: what is mounted on it must not reach the host."""
    inner = bind(source / "inner", "/place", "idmap", "ro", "nosuid", "nodev", "noexec")
    seen = report("--try", "create:/place/made", change=change(inner, user=200000))
    found = seen.mount("/place")
    assert {"ro", "nosuid", "nodev", "noexec", "idmapped"} <= found["options"]
    assert [tag.split(":")[0] for tag in found["propagation"]] == ["master"]
    assert seen.tries["create:/place/made"] == errno.EROFS
    seen = report(change=change(bind(source / "inner", "/place", "idmap", "rprivate"), user=200000))
    assert not seen.mount("/place")["propagation"]


def test_a_mount_of_the_container_s_on_it_stays_there(report, source):
    """As above, with a mount: nothing_left would see it."""
    tmpfs = {"destination": "/place/inner", "type": "tmpfs", "source": "tmpfs", "options": []}
    seen = report("--list", "/place/inner", change=change(bind(source, "/place", "idmap"), tmpfs, user=200000))
    assert seen.lists["/place/inner"] == {}
    assert os.listdir(source / "inner") == ["deep"]


def test_a_file(report, source):
    seen = report("--stat", "/dev/file", change=change(bind(source / "of5", "/dev/file", "idmap"), user=200000))
    assert owner(seen, "/dev/file") == (5, 5)


def test_a_new_file_system(report):
    """tmpfs may be mapped too: what its root's owner is in the file system is another id on the mount."""
    entry = {"destination": "/place", "type": "tmpfs", "source": "tmpfs", "options": ["idmap"],
             "uidMappings": mapping(0, 3, 10), "gidMappings": mapping(0, 4, 10)}
    seen = report("--stat", "/place", change=change(entry))
    assert owner(seen, "/place") == (3, 4)


def test_the_mapping_of_a_joined_user_namespace(report, source):
    holder = subprocess.Popen(["unshare", "--user", "sleep", "60"])
    try:
        path = f"/proc/{holder.pid}/ns/user"
        while os.readlink(path) == os.readlink("/proc/self/ns/user"):
            pass
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{holder.pid}/{name}", "w") as file:
                file.write("0 300000 1000")

        def join(config):
            config["linux"]["namespaces"].append({"type": "user", "path": path})
            config["mounts"].append(bind(source, "/place", "idmap"))

        seen = report(*STATS, change=join)
    finally:
        holder.kill()
        holder.wait()
    assert owner(seen, "/place/of5") == (5, 5)


def test_what_cannot_be_mapped_is_refused(run, source):
    """A mount whose owners are other ones than asked for would be a hole."""
    assert "/mounts/6/options" in run("exit", 0, change=change(bind(source, "/place", "idmap"))).error
    entry = bind("/proc/sys", "/place", "idmap")
    error = run("exit", 0, change=change(entry, user=200000)).error
    assert "/mounts/6" in error and "map ids" in error


def test_many(report, source):
    """Mounts with the same maps share a namespace; each different one costs a process for a moment."""
    mounts = [bind(source, f"/place/{n}", "idmap", uidMappings=mapping(0, n // 2, 10), gidMappings=mapping(0, 1, 10))
              for n in range(20)]
    seen = report(*[arg for n in range(20) for arg in ("--stat", f"/place/{n}/of0")], change=change(*mounts))
    assert [owner(seen, f"/place/{n}/of0") for n in range(20)] == [(n // 2, 1) for n in range(20)]
