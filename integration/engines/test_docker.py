"""dockerd with the runtime under test as its default one: what its users ask for, seen from inside."""

import json
import os
import time

import pytest

from harness.marks import needs_sys_resource
from harness.report import Report
from harness.runtime import wait_until

IMAGE = "box:1"

#: What cannot be is refused with the same status and the same decisive words as by runc, which Docker's users are used to.
BOTH = ("runc", "berth")


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
                  "--ulimit", "nofile=100:200", "--oom-score-adj", "500", "--group-add", "3000",
                  "--sysctl", "kernel.msgmax=4096", probe=("--read", "/proc/sys/kernel/msgmax"))
    assert seen.hostname == "deck"
    assert "COLOUR=red" in seen.env and "HOME=/home" in seen.env
    assert seen.cwd == "/tmp"
    assert set(seen.uids) == {1000}
    assert {2000, 3000} <= set(seen.groups)
    assert seen.file("/proc/sys/kernel/msgmax") == "4096\n"
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


def test_seccomp_profile(docker, tmp_path):
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW",
                                   "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}))
    result = docker("run", "--rm", "--security-opt", f"seccomp={profile}", IMAGE, "sh", "-c", "rmdir /home && mkdir /home")
    assert result.status == 1 and result.stderr == "mkdir: can't create directory '/home': Operation not permitted\n", result


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
    assert int(seen.status["CapBnd"], 16) == int(mine, 16) & (1 << 38) - 1  # Docker 20.10 does not know the newest three
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
        terminal.resize(rows=40, columns=90)
        terminal.type("until stty size 2>/dev/null | grep '40 90'; do sleep 0.1; done; tty; echo $((40 + 2))\n")
        assert "\r\n40 90\r\n/dev/pts/0\r\n" in terminal.expect("\r\n42")
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


@pytest.mark.parametrize("command, words", [
    (["missing"], 'exec: "missing": executable file not found in $PATH'),
    (["/etc/passwd"], "permission denied"),
    (["-w", "/nowhere", "true"], "no such file or directory"),
], ids=["no such command", "not executable", "no such directory"])
def test_exec_of_what_cannot_run(docker, sleeper, command, words):
    options, command = (command[:2], command[2:]) if command[0] == "-w" else ([], command)
    for runtime in BOTH:
        result = docker("exec", *options, sleeper("--runtime", runtime), *command)
        assert result.status == 126 and words.lower() in (result.stdout + result.stderr).lower(), result


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
    names = [("memory", "memory.max" if native.unified else "memory.limit_in_bytes", "33554432"), ("pids", "pids.max", "20"),
             ("cpu", "cpu.max" if native.unified else "cpu.cfs_quota_us", "50000 100000" if native.unified else "50000")]
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


def test_restart(docker, sleeper):
    id = sleeper("--stop-signal", "KILL")
    docker.must("exec", id, "touch", "/tmp/trace")
    first = inspect(docker, id)["State"]["Pid"]
    docker.must("restart", id)
    assert inspect(docker, id)["State"]["Pid"] not in (0, first)
    docker.must("exec", id, "test", "-e", "/tmp/trace")


def test_restart_policy(docker):
    id = docker.must("run", "-d", "--restart", "on-failure:2", IMAGE, "sh", "-c", "echo try; exit 3")
    assert docker.must("wait", id) == "3"
    wait_until(lambda: docker.must("logs", id).split() == ["try"] * 3, seconds=20, what="three tries")
    assert inspect(docker, id)["RestartCount"] == 2


def test_out_of_memory(docker):
    id = docker.must("run", "-d", "-m", "16m", "--memory-swap", "16m", IMAGE, "/probe", "alloc", str(64 << 20))
    assert docker.must("wait", id) == "137"
    wait_until(lambda: inspect(docker, id)["State"]["OOMKilled"], seconds=20, what="word that memory ran out")


def test_fifty_at_once(docker):
    ids = [docker.must("create", IMAGE, "sh", "-c", f"echo {number}; exit {number}") for number in range(50)]
    starts = [docker.background("start", "-a", id) for id in ids]
    for number, (id, start) in enumerate(zip(ids, starts)):
        output, _ = start.communicate(timeout=120)
        assert (start.returncode, output.decode()) == (number, f"{number}\n")


def test_compose(compose, docker):
    compose.write(f"""
version: "3.8"
services:
  server:
    image: {IMAGE}
    command: nc -ll -p 80 -e hostname
    hostname: bridge
    init: true
    read_only: true
    cap_drop: [ALL]
    cap_add: [NET_BIND_SERVICE]
    volumes: [hold:/hold]
  client:
    image: {IMAGE}
    depends_on: [server]
    environment: {{GREETING: ahoy}}
    command: sh -c 'echo $$GREETING; until nc server 80; do sleep 0.1; done; exit 3'
volumes: {{hold: {{}}}}
""")
    result = compose("up", "--exit-code-from", "client")
    assert result.status == 3 and {"client_1  | ahoy", "client_1  | bridge"} <= set(result.stdout.splitlines()), result
    compose.must("up", "-d", "server")
    result = compose("exec", "-T", "server", "sh", "-c", "touch /hold/x; cat /proc/1/comm; touch /etc/x; exit 9")
    assert result.status == 9 and result.stdout == "docker-init\n" and "Read-only file system" in result.stderr, result
    compose.must("restart", "--timeout", "1", "server")
    assert compose.must("exec", "-T", "server", "ls", "/hold") == "x"
    id = compose.must("ps", "-q", "server")
    compose.must("kill", "server")
    assert inspect(docker, id)["State"]["ExitCode"] == 137


@pytest.mark.parametrize("command, status, words", [
    (["missing"], 127, 'exec: "missing": executable file not found in $PATH'),
    (["/bin/missing"], 127, "no such file or directory"),
    (["/etc/passwd"], 126, "permission denied"),
    (["/etc"], 126, "permission denied"),
    ([""], 127, "executable file not found in $PATH"),
    (["/etc/passwd/x"], 125, "not a directory"),
], ids=["no such command", "no such path", "not executable", "a directory", "empty", "below a file"])
def test_command_that_cannot_run(docker, command, status, words):
    for runtime in BOTH:
        result = docker("run", "--rm", "--runtime", runtime, IMAGE, *command)
        assert result.status == status and words in result.stderr, result


@pytest.mark.parametrize("options, words", [
    (["--user", "nobody-here"], "unable to find user nobody-here"),
    (["-v", "{source}:/etc"], "not a directory"),
    (["--tmpfs", "/etc/passwd"], "not a directory"),
    (["-v", "{source}:/proc/sys"], "because it is inside /proc"),
    (["--cpus", "0.001"], "100"),
    (["--hostname", 65 * "x"], "hostname"),
], ids=["user", "file on a directory", "directory on a file", "mount in proc", "too little time", "too long a name"])
def test_options_that_cannot_be(docker, tmp_path, options, words):
    source = tmp_path / "file"
    source.write_text("")
    for runtime in BOTH:
        result = docker("run", "--rm", "--runtime", runtime, *(option.format(source=source) for option in options), IMAGE,
                        "true")
        assert result.status == 125 and words in result.stderr, result


def test_kernel_parameter_that_does_not_exist(docker):
    """With runc, Docker takes this for a missing command and ends with 127."""
    result = docker("run", "--rm", "--sysctl", "net.wrong=1", IMAGE, "true")
    assert result.status == 125 and "net/wrong" in result.stderr, result
