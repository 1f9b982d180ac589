"""What a process of `exec` is: its place, its identity, its limits."""

import json
import os

import pytest

from harness.marks import both_views
from harness.runtime import exit_status, wait_until

NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts", "time")


def process_file(tmp_path, **changes):
    """The document of --process."""
    process = {"args": ["/probe", "report"], "cwd": "/", "env": ["PATH=/:/bin"], "user": {"uid": 0, "gid": 0}, **changes}
    path = tmp_path / "process.json"
    path.write_text(json.dumps(process))
    return str(path)


def links(pid):
    return {name: os.readlink(f"/proc/{pid}/ns/{name}") for name in NAMESPACES}


@pytest.mark.parametrize("status", [0, 3, 255])
def test_exit_status(running, status):
    with running() as box:
        assert box.exec("/probe", "exit", status).status == status


def test_status_of_a_signal(running):
    with running() as box:
        assert box.exec("/probe", "signal", 15).status == 128 + 15


def test_output_and_input(running):
    with running() as box:
        assert box.exec("/probe", "echo", "a", "-t", "--x", "b c").stdout == "a -t --x b c\n"
        assert box.exec("/probe", "cat", input="typed").stdout == "typed"


@both_views
def test_joins_everything(running, runtime, view, tmp_path):
    """All namespaces and every cgroup are those of the container's first process."""
    pid_file = tmp_path / "pid"
    with running(change=lambda config: config["linux"]["namespaces"].append({"type": "cgroup"})) as box:
        result = box.exec("/probe", "sleep", flags=["--detach", "--pid-file", str(pid_file)])
        assert result.ok, result
        pid = int(pid_file.read_text())
        assert pid_file.read_text() == str(pid)
        assert links(pid) == links(box.pid)
        assert view.cgroups_of(pid) == view.cgroups_of(box.pid)
        listed = runtime("ps", "--format", "json", box.id).json
        assert sorted(listed) == sorted([pid, box.pid])
        box.must("kill", "--all", "KILL")
        assert exit_status(pid) == 137
        wait_until(lambda: box.status == "stopped")


def test_user_namespace(running):
    def mapped(config):
        config["linux"]["namespaces"].append({"type": "user"})
        for name in ("uidMappings", "gidMappings"):
            config["linux"][name] = [{"containerID": 0, "hostID": 100000, "size": 65536}]

    with running(change=mapped) as box:
        seen = box.exec(flags=["--user", "7:8"]).report
        assert seen.uids == [7, 7, 7] and seen.gids == [8, 8, 8]
        assert "100000" in seen.file("/proc/self/uid_map")


def test_same_confinement_as_the_container(running):
    def confined(config):
        config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]
        config["process"]["user"]["umask"] = 0o77
        config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 33}]}

    with running(change=confined) as box:
        first = {}
        with open(f"/proc/{box.pid}/status") as file:
            for line in file:
                name, _, value = line.partition(":")
                first[name] = value.strip()
        result = box.exec("/probe", "report", "--try", "mkdir:/tmp/x")
        status = result.report.status
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Uid", "Gid", "Umask"):
            assert status[name].split() == first[name].split(), name
        assert result.report.tries["mkdir:/tmp/x"] == 33


def test_process_document(running, tmp_path):
    document = process_file(tmp_path, user={"uid": 1000, "gid": 1001, "additionalGids": [5, 6], "umask": 0o27},
                            cwd="/tmp", env=["PATH=/", "A=b"], noNewPrivileges=True, oomScoreAdj=321,
                            capabilities={"bounding": ["CAP_KILL"], "effective": [], "permitted": []})
    with running() as box:
        seen = box.runtime("exec", "--process", document, box.id).report
        assert (seen.uids[0], seen.gids[0], sorted(seen.groups)) == (1000, 1001, [5, 6])
        assert seen.cwd == "/tmp"
        assert seen.file("/proc/self/oom_score_adj").strip() == "321"


def test_program_of_the_document(running, tmp_path):
    """What follows the id does not replace it."""
    document = process_file(tmp_path, args=["/probe", "exit", "6"])
    with running() as box:
        assert box.runtime("exec", "--process", document, box.id, "/probe", "exit", "7").status == 6


def test_flags_replace_what_the_configuration_says(running):
    with running() as box:
        flags = ["--cwd", "/tmp", "-e", "A=1", "--env", "TERM=dumb", "-u", "12:34", "-g", "7", "-g", "8,9",
                 "--cap", "CAP_SYS_NICE", "--cap", "net_raw", "--no-new-privs"]
        seen = box.exec(flags=flags).report
        assert seen.cwd == "/tmp"
        assert "A=1" in seen.env and "TERM=dumb" in seen.env and "TERM=xterm" not in seen.env
        assert (seen.uids, seen.gids, sorted(seen.groups)) == ([12] * 3, [34] * 3, [7, 8, 9])
        assert {"CAP_SYS_NICE", "CAP_NET_RAW", "CAP_KILL"} <= seen.capabilities("Bnd")
        assert not seen.capabilities("Amb") and not seen.capabilities("Inh")


def test_user_by_name(running):
    with running() as box:
        with open(os.path.join(box.bundle.rootfs, "etc/passwd"), "w") as file:
            file.write("1000:x:0:0::/:/\nalice:x:1234:56::/home/alice:/bin/sh\n")
        seen = box.exec(flags=["--user", "alice"]).report
        assert (seen.uids[0], seen.gids[0]) == (1234, 56)
        assert "HOME=/home/alice" in seen.env
        assert box.exec(flags=["--user", "1000"]).report.uids[0] == 1000
        assert "bob" in box.exec(flags=["--user", "bob"]).error


@pytest.mark.parametrize("user", [":1", "1:", "-1", "4294967295", "4294967296", "0x1", "1:2:3", "1:-1", "1 "])
def test_users_that_are_none(running, user):
    with running() as box:
        result = box.exec(flags=["--user=" + user])
        assert result.status == 255
        assert "--user" in result.error


def test_configuration_is_that_of_creation(running):
    """The bundle may change, and go, while the container runs."""
    with running() as box:
        os.unlink(os.path.join(box.bundle.path, "config.json"))
        assert box.exec("/probe", "exit", 4).status == 4


def test_affinity(running, tmp_path):
    document = process_file(tmp_path, execCPUAffinity={"initial": "0-1", "final": "0"})
    with running() as box:
        result = box.runtime("exec", "--process", document, box.id)
        assert result.report.status["Cpus_allowed_list"] == "0"


def test_affinity_beyond_the_machine(running, tmp_path):
    document = process_file(tmp_path, execCPUAffinity={"final": "5000"})
    with running() as box:
        assert "5000" in box.runtime("exec", "--process", document, box.id).error


@both_views
def test_sub_cgroup(running, view):
    with running() as box:
        inside = [path + "/below" for path in set(view.cgroups_of(box.pid).values())]
        for path in inside:
            os.mkdir(path)
            for name in ("cpuset.cpus", "cpuset.mems"):  # a new one of version 1 has none, and takes no process
                if os.path.exists(f"{path}/{name}") and not view.unified:
                    with open(f"{path}/../{name}") as above, open(f"{path}/{name}", "w") as own:
                        own.write(above.read())
        try:
            seen = box.exec(flags=["--cgroup", "/below"]).report
            place = box.bundle.config["linux"]["cgroupsPath"]
            inside_of_it = [line[2] for line in seen.cgroup_lines if place in line[2]]
            assert inside_of_it and all(line.endswith("/below") for line in inside_of_it)
        finally:
            for path in inside:
                wait_until(lambda: not open(path + "/cgroup.procs").read())
                os.rmdir(path)


@pytest.mark.parametrize("path", ["../x", "/a/../../b", "none", "no-controller:/x"])
def test_bad_sub_cgroup(running, path):
    with running() as box:
        assert box.exec(flags=["--cgroup", path]).status == 255


def test_no_leaked_descriptors(running):
    with open("/etc/passwd") as file, running() as box:
        os.set_inheritable(file.fileno(), True)
        assert set(box.exec(pass_fds=(file.fileno(),)).report.fds) == {"0", "1", "2"}


@pytest.mark.parametrize("cwd", [f"/proc/self/fd/{number}" for number in range(3, 14)])
def test_working_directory_of_the_host(running, cwd):
    """CVE-2024-21626."""
    held = [os.open("/", os.O_RDONLY | os.O_DIRECTORY) for _ in range(8)]
    try:
        for fd in held:
            os.set_inheritable(fd, True)
        with running() as box:
            assert box.exec(flags=["--cwd", cwd], pass_fds=held).status == 255
    finally:
        for fd in held:
            os.close(fd)
