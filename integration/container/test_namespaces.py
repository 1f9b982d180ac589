"""Namespaces: new ones, those of the caller, and joined ones."""

import contextlib
import os
import subprocess
import time

import pytest

from harness import libc

KINDS = {"pid": "pid", "network": "net", "ipc": "ipc", "uts": "uts", "mount": "mnt", "cgroup": "cgroup", "user": "user",
         "time": "time"}
FLAGS = {"network": libc.CLONE_NEWNET, "ipc": libc.CLONE_NEWIPC, "uts": libc.CLONE_NEWUTS, "pid": libc.CLONE_NEWPID,
         "cgroup": libc.CLONE_NEWCGROUP, "user": libc.CLONE_NEWUSER, "time": libc.CLONE_NEWTIME, "mount": libc.CLONE_NEWNS}


def own(kind):
    return os.readlink(f"/proc/self/ns/{KINDS[kind]}")


def namespaces(*kinds, **paths):
    def change(config):
        config["linux"]["namespaces"] = [{"type": kind} for kind in kinds] + [
            {"type": kind, "path": path} for kind, path in paths.items()]
        if "uts" not in kinds and "uts" not in paths:
            config.pop("hostname", None)
    return change


def user_namespace(config):
    config["linux"]["namespaces"].append({"type": "user"})
    for name in ("uidMappings", "gidMappings"):
        config["linux"][name] = [{"containerID": 0, "hostID": 100000, "size": 1000},
                                 {"containerID": 5000, "hostID": 200000, "size": 10}]


@contextlib.contextmanager
def holder(kind):
    """A process that keeps a namespace of this kind alive; gives its path."""
    with open("/proc/sys/user/max_user_namespaces") as file:
        assert int(file.read()) > 0
    options = {"network": ["--net"], "ipc": ["--ipc"], "uts": ["--uts"], "cgroup": ["--cgroup"], "mount": ["--mount"],
               "pid": ["--pid", "--fork", "--kill-child"], "user": ["--user", "--map-root-user"],
               "time": ["--time", "--fork", "--kill-child", "--boottime", "1000000"]}[kind]
    process = subprocess.Popen(["unshare", *options, "sh", "-c", "echo $$; exec sleep inf"], stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        leader = process.pid
        if "--fork" in options:
            with open(f"/proc/{leader}/task/{leader}/children") as file:
                leader = int(file.read().split()[0])
        yield f"/proc/{leader}/ns/{KINDS[kind]}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        time.sleep(0.01)


@pytest.mark.parametrize("kind", ["pid", "network", "ipc", "uts", "mount", "cgroup", "time"])
def test_new_namespace(report, kind):
    others = [k for k in ("mount", "pid") if k != kind]
    seen = report(change=namespaces(kind, *others))
    assert seen.namespaces[KINDS[kind]] != own(kind)


@pytest.mark.parametrize("kind", ["network", "ipc", "uts", "cgroup", "user", "time"])
def test_namespace_of_the_caller_without_an_entry(report, kind):
    def change(config):
        namespaces("pid", "mount")(config)
        if kind in ("network", "ipc"):  # file systems that belong to the namespaces are not needed here
            config["mounts"] = [m for m in config["mounts"] if m["type"] not in ("sysfs", "mqueue")]

    assert report(change=change).namespaces[KINDS[kind]] == own(kind)


def test_pid_namespace_of_the_caller(report):
    assert report(change=namespaces("mount", "ipc", "uts", "network")).pid > 1


@pytest.mark.parametrize("kind", ["network", "ipc", "uts", "cgroup"])
def test_joined_namespace(report, kind):
    others = [k for k in ("mount", "pid", "ipc", "network", "uts") if k != kind]
    with holder(kind) as path:
        wanted = os.readlink(path)
        seen = report(change=lambda config: (namespaces(*others, **{kind: path})(config), config.pop("hostname", None)))
    assert seen.namespaces[KINDS[kind]] == wanted


def test_joined_pid_namespace(report):
    with holder("pid") as path:
        wanted = os.readlink(path)
        seen = report(change=namespaces("mount", "ipc", "uts", "network", pid=path))
        assert seen.namespaces["pid"] == wanted
        assert seen.pid > 1


def test_joined_mount_namespace(report, bundle, container):
    """The container's root is still the bundle's."""
    with holder("mount") as path:
        wanted = os.readlink(path)
        made = bundle("report", change=lambda config: (namespaces("pid", "ipc", "uts", "network", mount=path)(config),
                                                       config.update(mounts=config["mounts"][:1])))
        with container(made) as box:
            result = box.run()
            if result.ok:
                assert result.report.namespaces["mnt"] == wanted
            else:
                assert result.error


def test_joined_time_namespace(report):
    with holder("time") as path:
        wanted = os.readlink(path)
        seen = report(change=namespaces("mount", "pid", "ipc", "uts", "network", time=path))
        assert seen.namespaces["time"] == wanted
        assert seen.clocks["boottime"] > time.clock_gettime(time.CLOCK_BOOTTIME) + 900000


def drop_terminal_group(config):
    """Group 5 has no mapping in a namespace of one id."""
    for mount in config["mounts"]:
        mount["options"] = [option for option in mount["options"] if option != "gid=5"]


def test_joined_user_namespace(report):
    """The other namespaces of the container belong to the joined user namespace."""
    with holder("user") as path:
        wanted = os.readlink(path)
        seen = report(change=lambda config: (namespaces("mount", "pid", "ipc", "uts", "network", user=path)(config),
                                             drop_terminal_group(config)))
        assert seen.namespaces["user"] == wanted
        assert seen.uids == [0, 0, 0]


def test_mappings_of_the_joined_user_namespace(run, container, bundle):
    """Engines write them beside its path (Podman's --userns container:ID, containerd and CRI-O in a pod)."""
    with container(bundle("sleep", change=user_namespace)) as first:
        first.must("create")

        def change(config):
            user_namespace(config)
            config["linux"]["namespaces"][-1]["path"] = f"/proc/{first.pid}/ns/user"

        seen = run("report", change=change).report
        assert seen.namespaces["user"] == os.readlink(f"/proc/{first.pid}/ns/user") and seen.uids == [0, 0, 0]
        for name in ("uidMappings", "gidMappings"):
            def differ(config):
                change(config)
                config["linux"][name][-1]["size"] += 1

            error = run("exit", 0, change=differ).error
            assert f"/linux/{name}: got mappings that the user namespace that is joined does not have" in error


def test_namespaces_of_another_container(report, container, bundle):
    """What a pod does: net, ipc and uts of the first container."""
    with container(bundle("sleep")) as first:
        first.must("create")
        paths = {kind: f"/proc/{first.pid}/ns/{KINDS[kind]}" for kind in ("network", "ipc", "uts")}
        wanted = {kind: os.readlink(path) for kind, path in paths.items()}
        seen = report(change=lambda config: (namespaces("mount", "pid", **paths)(config), config.pop("hostname", None)))
        for kind, link in wanted.items():
            assert seen.namespaces[KINDS[kind]] == link
        assert seen.hostname == "berth-test"


@pytest.mark.parametrize("kind", ["network", "ipc", "uts", "pid", "mount", "user"])
def test_path_to_another_kind_is_refused(run, kind):
    other = "/proc/self/ns/cgroup"
    error = run("exit", 0, change=namespaces(*[k for k in ("mount", "pid") if k != kind], **{kind: other})).error
    assert other in error


def test_missing_namespace_path(run):
    error = run("exit", 0, change=namespaces("mount", "pid", network="/run/netns/does-not-exist")).error
    assert "/run/netns/does-not-exist" in error and "No such file or directory" in error


def test_loopback_is_up_in_a_new_network_namespace(report):
    seen = report()
    assert seen.loopback == {"up": True, "running": True, "address": "127.0.0.1"}


def test_hostname_and_domainname(report):
    seen = report(change=lambda config: config.update(hostname="box.example", domainname="nis.example"))
    assert (seen.hostname, seen.domainname) == ("box.example", "nis.example")


def test_hostname_of_the_host_does_not_change(report):
    before = os.uname().nodename
    assert report(change=lambda config: config.update(hostname="other")).hostname == "other"
    assert os.uname().nodename == before


@pytest.mark.parametrize("name", ["hostname", "domainname"])
def test_names_need_a_uts_namespace(run, name):
    def change(config):
        config["linux"]["namespaces"] = [{"type": "pid"}, {"type": "mount"}]
        config.pop("hostname")
        config[name] = "x"

    assert f"/{name}" in run("exit", 0, change=change).error


def test_user_namespace(report):
    seen = report("--stat", "/", "--stat", "/dev/null", "--try", "create:/place/made", change=user_namespace)
    assert seen.namespaces["user"] != own("user")
    assert seen.uids == [0, 0, 0]
    rows = [line.split() for line in seen.file("/proc/self/uid_map").splitlines()]
    assert rows == [["0", "100000", "1000"], ["5000", "200000", "10"]]
    rows = [line.split() for line in seen.file("/proc/self/gid_map").splitlines()]
    assert rows == [["0", "100000", "1000"], ["5000", "200000", "10"]]
    assert seen.stats["/dev/null"]["type"] == "char"
    assert (seen.stats["/dev/null"]["major"], seen.stats["/dev/null"]["minor"]) == (1, 3)


def test_user_namespace_with_a_user_and_groups(report):
    def change(config):
        user_namespace(config)
        config["process"]["user"] = {"uid": 5001, "gid": 5002, "additionalGids": [7]}

    seen = report(change=change)
    assert seen.uids == [5001] * 3
    assert seen.gids == [5002] * 3
    assert seen.groups == [7]


def test_user_namespace_owns_its_namespaces(report):
    """sethostname(2) needs CAP_SYS_ADMIN in the user namespace that owns the UTS namespace."""
    def change(config):
        user_namespace(config)
        config["process"]["capabilities"] = {s: ["CAP_SYS_ADMIN"] for s in ("bounding", "effective", "permitted")}

    seen = report("--try", "sethostname", "--try", "mount:/tmp", change=change)
    assert seen.tries == {"sethostname": 0, "mount:/tmp": 0}


def test_user_namespace_from_outside(container, bundle):
    made = bundle("sleep", change=user_namespace)
    with container(made) as box:
        box.must("create")
        assert os.stat(f"/proc/{box.pid}").st_uid in (0, 100000)
        box.must("start")
        with open(f"/proc/{box.pid}/status") as file:
            uid = next(line for line in file if line.startswith("Uid:")).split()[1]
        assert uid == "100000"


def test_mappings_need_a_user_namespace(run):
    def change(config):
        config["linux"]["uidMappings"] = [{"containerID": 0, "hostID": 1, "size": 1}]

    assert "/linux/uidMappings" in run("exit", 0, change=change).error


def test_user_that_is_not_mapped(run):
    def change(config):
        user_namespace(config)
        config["process"]["user"] = {"uid": 3000, "gid": 0}

    error = run("exit", 0, change=change).error
    assert "3000" in error


def test_time_offsets(report):
    def change(config):
        config["linux"]["namespaces"].append({"type": "time"})
        config["linux"]["timeOffsets"] = {"boottime": {"secs": 5000000, "nanosecs": 5},
                                          "monotonic": {"secs": 7000000}}

    seen = report(change=change)
    assert seen.clocks["boottime"] - time.clock_gettime(time.CLOCK_BOOTTIME) == pytest.approx(5000000, abs=10)
    offsets = {line.split()[0]: line.split()[1:] for line in seen.file("/proc/self/timens_offsets").splitlines()}
    assert offsets == {"boottime": ["5000000", "5"], "monotonic": ["7000000", "0"]}
    assert seen.clocks["monotonic"] - time.clock_gettime(time.CLOCK_MONOTONIC) == pytest.approx(7000000, abs=10)


def test_time_offsets_need_a_time_namespace(run):
    def change(config):
        config["linux"]["timeOffsets"] = {"boottime": {"secs": 1}}

    assert "/linux/timeOffsets" in run("exit", 0, change=change).error


def test_cgroup_namespace_hides_the_path(report, view):
    def change(config):
        config["linux"]["namespaces"].append({"type": "cgroup"})

    seen = report(change=change)
    paths = {name: path for _, name, path in seen.cgroup_lines}
    joined = [name for name in paths if name in view.mounts or any(n in view.mounts for n in name.split(","))]
    assert joined
    assert all(paths[name] == "/" for name in joined), paths


def sysctl(**values):
    return lambda config: config["linux"].update(sysctl={name.replace("__", "."): v for name, v in values.items()})


def test_sysctl(report):
    seen = report("--read", "/proc/sys/net/ipv4/ping_group_range", "--read", "/proc/sys/kernel/msgmax",
                  "--read", "/proc/sys/net/ipv4/ip_unprivileged_port_start",
                  change=sysctl(net__ipv4__ping_group_range="0 2147483647", kernel__msgmax="9000",
                                net__ipv4__ip_unprivileged_port_start="0"))
    assert seen.file("/proc/sys/net/ipv4/ping_group_range").split() == ["0", "2147483647"]
    assert seen.file("/proc/sys/kernel/msgmax") == "9000\n"
    assert seen.file("/proc/sys/net/ipv4/ip_unprivileged_port_start") == "0\n"


def test_sysctl_with_slashes(report):
    seen = report("--read", "/proc/sys/net/ipv4/ip_forward",
                  change=lambda config: config["linux"].update(sysctl={"net/ipv4/ip_forward": "1"}))
    assert seen.file("/proc/sys/net/ipv4/ip_forward") == "1\n"


def test_sysctl_that_the_kernel_refuses(run):
    error = run("exit", 0, change=sysctl(kernel__msgmax="not a number")).error
    assert "kernel" in error and "msgmax" in error and "Invalid argument" in error


def test_sysctls_of_every_namespace(report):
    values = {"kernel.shmmax": "12345678", "kernel.sem": "32000 1024000000 500 32000", "fs.mqueue.msg_max": "20",
              "net.core.somaxconn": "321", "kernel.domainname": "example"}
    paths = {name: "/proc/sys/" + name.replace(".", "/") for name in values}
    seen = report(*[arg for path in paths.values() for arg in ("--read", path)],
                  change=lambda config: config["linux"].update(sysctl=values))
    assert {name: seen.file(path).split() for name, path in paths.items()} == {
        name: value.split() for name, value in values.items()}


def test_sysctls_of_a_user_namespace(report):
    """user.*: limits of this user namespace alone. And those of the other kinds, which its root may set too."""
    def change(config):
        config["linux"]["namespaces"].append({"type": "user"})
        config["linux"]["uidMappings"] = config["linux"]["gidMappings"] = [
            {"containerID": 0, "hostID": 100000, "size": 65536}]
        config["linux"]["sysctl"] = {"user.max_user_namespaces": "7", "user/max_net_namespaces": "3", "kernel.msgmax": "9000",
                                     "net.ipv4.ip_unprivileged_port_start": "80", "fs.mqueue.msg_max": "20"}

    names = ["user/max_user_namespaces", "user/max_net_namespaces", "kernel/msgmax", "net/ipv4/ip_unprivileged_port_start",
             "fs/mqueue/msg_max"]
    seen = report(*[arg for name in names for arg in ("--read", "/proc/sys/" + name)], change=change)
    assert [seen.file("/proc/sys/" + name).strip() for name in names] == ["7", "3", "9000", "80", "20"]
    with open("/proc/sys/user/max_user_namespaces") as file:
        assert file.read().strip() != "7"
