"""dockerd with the runtime under test as its default one: what its users ask for, seen from inside."""

import json
import os
import time

import pytest

from harness.marks import needs_sys_resource
from harness.report import Report
from harness.runtime import wait_until

IMAGE = "box:1"


@pytest.fixture
def sleeper(docker):
    """Starts a container that sleeps, with these options; gives its id."""
    return lambda *options: docker.must("run", "-d", *options, IMAGE, "sleep", "300")


@pytest.fixture
def report(docker):
    """What the probe reports in a container with these options."""
    return lambda *options, probe=(): Report(json.loads(
        docker.must("run", "--rm", *options, IMAGE, "/probe", "report", *probe)))


def inspect(docker, id):
    return json.loads(docker.must("inspect", id))[0]


def test_output_and_status(docker):
    result = docker("run", "--rm", IMAGE, "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (result.status, result.stdout, result.stderr) == (7, "out\n", "err\n")
    assert docker("run", "--rm", "-i", IMAGE, "cat", input="through\n").stdout == "through\n"


def test_the_process(report):
    seen = report("--hostname", "deck", "-e", "COLOUR=red", "-w", "/tmp", "--user", "sailor",
                  "--ulimit", "nofile=100:200", "--oom-score-adj", "500")
    assert seen.hostname == "deck"
    assert "COLOUR=red" in seen.env and "HOME=/home" in seen.env
    assert seen.cwd == "/tmp"
    assert set(seen.uids) == {1000}
    assert 2000 in seen.groups
    assert seen.rlimits["RLIMIT_NOFILE"] == [100, 200]
    assert seen.file("/proc/self/oom_score_adj").strip() == "500"
    assert seen.capabilities("Eff") == set()
    assert seen.status["Seccomp"] == "2"


def test_capabilities_and_privileges(report):
    seen = report("--cap-drop", "ALL", "--cap-add", "NET_RAW", "--cap-add", "CHOWN", "--security-opt", "no-new-privileges",
                  "--security-opt", "seccomp=unconfined")
    assert seen.capabilities("Eff") == seen.capabilities("Bnd") == {"CAP_NET_RAW", "CAP_CHOWN"}
    assert seen.no_new_privs == 1
    assert seen.status["Seccomp"] == "0"


def test_mounts(report, docker, tmp_path):
    (tmp_path / "note").write_text("from the host")
    os.mkdir(tmp_path / "sub")
    seen = report("--read-only", "--tmpfs", "/scratch:size=1m,mode=1770", "-v", f"{tmp_path}:/data",
                  "-v", f"{tmp_path}:/fixed:ro", "-v", f"{tmp_path}/note:/etc/note:ro", "--shm-size", "2m",
                  probe=("--read", "/data/note", "--read", "/etc/note"))
    assert "ro" in seen.mount("/")["options"]
    assert seen.mount("/scratch")["fstype"] == "tmpfs" and "size=1024k" in seen.mount("/scratch")["super"]
    assert "rw" in seen.mount("/data")["options"] and "ro" in seen.mount("/fixed")["options"]
    assert seen.file("/data/note") == seen.file("/etc/note") == "from the host"
    assert "size=2048k" in seen.mount("/dev/shm")["super"]
    docker.must("run", "--rm", "-v", f"{tmp_path}:/data", IMAGE, "sh", "-c", "echo written >/data/sub/file")
    assert (tmp_path / "sub/file").read_text() == "written\n"
    assert "Read-only file system" in docker("run", "--rm", "-v", f"{tmp_path}:/data:ro", IMAGE, "touch", "/data/x").stderr


def test_volume_that_lives_on(docker):
    docker.must("volume", "create", "kept")
    try:
        docker.must("run", "--rm", "-v", "kept:/data", IMAGE, "sh", "-c", "echo 1 >/data/file")
        assert docker.must("run", "--rm", "-v", "kept:/data", IMAGE, "cat", "/data/file") == "1"
    finally:
        docker.must("volume", "rm", "kept")


def test_device(docker, report):
    seen = report("--device", "/dev/null:/dev/hole", probe=("--stat", "/dev/hole"))
    device = seen.stats["/dev/hole"]
    assert (device["type"], device["major"], device["minor"]) == ("char", 1, 3)
    for access, outcome in (("r", "denied"), ("w", "allowed")):
        assert docker.must("run", "--rm", "--device", f"/dev/kmsg:/dev/log:{access}", IMAGE, "sh", "-c",
                           "{ true >/dev/log; } 2>/dev/null && echo allowed || echo denied") == outcome


def test_limits(docker, native):
    if native.unified:
        files = {"memory.max": "67108864", "cpu.max": "50000 100000", "pids.max": "50", "cpuset.cpus": "0"}
    else:
        files = {"memory/memory.limit_in_bytes": "67108864", "cpu/cpu.cfs_quota_us": "50000", "pids/pids.max": "50",
                 "cpuset/cpuset.cpus": "0", "cpu/cpu.shares": "512"}
    shown = docker.must("run", "--rm", "-m", "64m", "--cpus", "0.5", "--pids-limit", "50", "--cpuset-cpus", "0",
                        "--cpu-shares", "512", "-w", "/sys/fs/cgroup", IMAGE, "cat", *files)
    assert shown.splitlines() == list(files.values())


@needs_sys_resource  # Docker asks for every capability that it knows
def test_privileged(report):
    seen = report("--privileged", probe=("--list", "/dev", "--stat", "/dev/kmsg"))
    with open("/proc/self/status") as file:
        mine = next(line.split()[1] for line in file if line.startswith("CapBnd"))
    assert seen.status["CapBnd"] == mine
    assert seen.status["Seccomp"] == "0"
    assert seen.stats["/dev/kmsg"]["type"] == "char"
    assert not seen.has_mount("/proc/kcore")
    assert "rw" in seen.mount("/sys")["options"]


def test_init(docker):
    # pid 1 collects the orphan, which nobody else would.
    shown = docker.must("run", "--rm", "--init", IMAGE, "sh", "-c",
                        "cat /proc/1/comm; (sleep 0.1 &); sleep 0.5; grep -l 'State:.Z' /proc/[0-9]*/status; echo done")
    assert shown == "docker-init\ndone"


def test_namespaces_of_others(docker, sleeper, report):
    first = sleeper("--ipc", "shareable")
    link = docker.must("run", "--rm", "--pid", f"container:{first}", "--ipc", f"container:{first}", IMAGE, "sh", "-c",
                       "readlink /proc/self/ns/ipc; readlink /proc/1/ns/ipc; cat /proc/1/comm").splitlines()
    assert link[0] == link[1] and link[2] == "sleep"
    seen = report("--pid", "host", "--ipc", "host", "--uts", "host", "--network", "host")
    for name in ("ipc", "uts", "net"):
        assert seen.namespaces[name] == os.readlink(f"/proc/{docker.cell.pid}/ns/{name}")
    assert seen.pid != 1


def test_a_person_at_a_terminal(docker):
    with docker.terminal("run", "--rm", "-it", IMAGE, "sh") as terminal:
        terminal.expect("# ")
        terminal.type("tty; echo $((40 + 2))\n")
        assert "/dev/pts/0" in terminal.expect("\r\n42")
        terminal.type("sleep 100\n")
        time.sleep(0.5)
        terminal.type("\x03")
        terminal.expect("# ")
        terminal.type("exit 5\n")
        assert terminal.end() == 5


def test_exec(docker, sleeper):
    id = sleeper("--user", "sailor", "-e", "COLOUR=red", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
    result = docker("exec", "-e", "TASTE=sour", "-w", "/tmp", id, "sh", "-c", "echo $COLOUR $TASTE $PWD $(id -u); exit 9")
    assert (result.status, result.stdout) == (9, "red sour /tmp 1000\n")
    assert docker("exec", "-i", id, "cat", input="through\n").stdout == "through\n"
    seen = Report(json.loads(docker.must("exec", "--user", "0", id, "/probe", "report")))
    assert set(seen.uids) == {0} and seen.capabilities("Bnd") == set()
    assert seen.no_new_privs == 1 and seen.status["Seccomp"] == "2"
    docker.must("exec", "-d", id, "touch", "/tmp/trace")
    wait_until(lambda: docker("exec", id, "test", "-e", "/tmp/trace").ok, seconds=20, what="the detached command's trace")


def test_exec_at_a_terminal(docker, sleeper):
    with docker.terminal("exec", "-it", sleeper(), "sh") as terminal:
        terminal.expect("# ")
        terminal.type("tty; echo $((40 + 2))\n")
        assert "/dev/pts/" in terminal.expect("\r\n42")
        terminal.type("exit 5\n")
        assert terminal.end() == 5


@pytest.mark.parametrize("command, status, words", [
    (["missing"], 126, 'exec: "missing": executable file not found in $PATH'),
    (["/etc/passwd"], 126, "permission denied"),
], ids=["no such command", "not executable"])
def test_exec_of_what_cannot_run(docker, sleeper, command, status, words):
    result = docker("exec", sleeper(), *command)
    assert result.status == status and words in result.stdout + result.stderr, result


def test_pause_and_unpause(docker, sleeper):
    id = docker.must("run", "-d", IMAGE, "sh", "-c", "while :; do echo tick; sleep 0.1; done")
    docker.must("pause", id)
    assert inspect(docker, id)["State"]["Status"] == "paused"
    before = docker.must("logs", id)
    time.sleep(0.5)
    assert docker.must("logs", id) == before
    docker.must("unpause", id)
    wait_until(lambda: docker.must("logs", id) != before, what="it goes on")
    assert inspect(docker, id)["State"]["Status"] == "running"


def test_update(docker, sleeper, native, token):
    id = sleeper("-m", "64m")
    docker.must("update", "-m", "32m", "--memory-swap", "32m", "--pids-limit", "20", "--cpus", "0.5", id)
    names = [("memory", "memory.max" if native.unified else "memory.limit_in_bytes", "33554432"), ("pids", "pids.max", "20")]
    for controller, name, value in names:
        path = f"{native.mounts['' if native.unified else controller]}/{token}-docker/{id}/{name}"
        with open(path) as file:
            assert file.read().strip() == value


def test_stats_and_top(docker, sleeper):
    id = sleeper("-m", "64m")
    fields = docker.must("stats", "--no-stream", "--format", "{{.PIDs}} {{.MemUsage}}", id)
    assert fields.startswith("1 ") and "64MiB" in fields
    assert "sleep 300" in docker.must("top", id)


def test_stop_kill_wait(docker, sleeper):
    id = docker.must("run", "-d", IMAGE, "/probe", "trap", "15", "10")
    wait_until(lambda: "ready" in docker.must("logs", id), what="the program's first words")
    docker.must("kill", "-s", "USR1", id)
    assert docker.must("wait", id) == "0"
    other = sleeper()
    docker.must("kill", other)
    assert docker.must("wait", other) == "137"
    third = docker.must("run", "-d", IMAGE, "/probe", "trap", "15")
    wait_until(lambda: "ready" in docker.must("logs", third), what="the program's first words")
    docker.must("stop", third)
    assert inspect(docker, third)["State"]["ExitCode"] == 0
    assert docker("kill", third).status == 1


def test_start_again(docker):
    id = docker.must("create", IMAGE, "sh", "-c", "echo once more >>/log; cat /log")
    assert docker.must("start", "-a", id) == "once more"
    assert docker.must("start", "-a", id) == "once more\nonce more"
    assert docker.must("logs", id) == "once more\nonce more\nonce more"


def test_restart_policy(docker):
    id = docker.must("run", "-d", "--restart", "on-failure:2", IMAGE, "sh", "-c", "echo try; exit 3")
    assert docker.must("wait", id) == "3"
    wait_until(lambda: docker.must("logs", id).split() == ["try"] * 3, seconds=20, what="three tries")
    assert inspect(docker, id)["RestartCount"] == 2


def test_out_of_memory(docker):
    id = docker.must("run", "-d", "-m", "16m", "--memory-swap", "16m", IMAGE, "/probe", "alloc", str(64 << 20))
    assert docker.must("wait", id) == "137"
    assert inspect(docker, id)["State"]["OOMKilled"] is True


def test_fifty_at_once(docker):
    ids = [docker.must("create", IMAGE, "sh", "-c", f"echo {number}; exit {number}") for number in range(50)]
    starts = [docker.background("start", "-a", id) for id in ids]
    for number, (id, start) in enumerate(zip(ids, starts)):
        output, _ = start.communicate(timeout=120)
        assert (start.returncode, output.decode()) == (number, f"{number}\n")


@pytest.mark.parametrize("command, status, words", [
    (["missing"], 127, 'exec: "missing": executable file not found in $PATH'),
    (["/bin/missing"], 127, "no such file or directory"),
    (["/etc/passwd"], 126, "permission denied"),
    (["/etc"], 126, ""),
    ([""], 127, ""),
], ids=["no such command", "no such path", "not executable", "a directory", "empty"])
def test_command_that_cannot_run(docker, command, status, words):
    result = docker("run", "--rm", IMAGE, *command)
    assert result.status == status and words in result.stderr, result


@pytest.mark.parametrize("options, words", [
    (["--user", "nobody-here"], "unable to find user nobody-here"),
    (["-v", "{source}:/etc"], "not a directory"),
    (["--tmpfs", "/etc/passwd"], "not a directory"),
    (["-v", "{source}:/proc/sys"], "because it is inside /proc"),
    (["--sysctl", "net.wrong=1"], "net/wrong"),
], ids=["user", "file on a directory", "directory on a file", "mount in proc", "sysctl"])
def test_options_that_cannot_be(docker, tmp_path, options, words):
    source = tmp_path / "file"
    source.write_text("")
    result = docker("run", "--rm", *(option.format(source=source) for option in options), IMAGE, "true")
    assert result.status == 125 and words in result.stderr, result
