"""Podman with the runtime under test in its containers.conf: conmon starts it and reads what it writes."""

import json
import os
import socket
import time

import pytest

from harness.report import Report
from harness.runtime import wait_until

IMAGE = "docker.io/library/box:1"


@pytest.fixture
def sleeper(podman):
    """Starts a container that sleeps, with these options; gives its id."""
    return lambda *options: podman.must("run", "-d", *options, IMAGE, "sleep", "300")


@pytest.fixture
def report(podman):
    """What the probe reports in a container with these options."""
    return lambda *options, probe=(): Report(json.loads(
        podman.must("run", "--rm", *options, IMAGE, "/probe", "report", *probe)))


def inspect(podman, id):
    return json.loads(podman.must("inspect", id))[0]


def test_output_and_status(podman):
    result = podman("run", "--rm", IMAGE, "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (result.status, result.stdout, result.stderr) == (7, "out\n", "err\n")
    assert podman("run", "--rm", "-i", IMAGE, "cat", input="through\n").stdout == "through\n"


def test_the_process(report, tmp_path):
    os.chmod(tmp_path, 0o755)
    (tmp_path / "note").write_text("from the host")
    seen = report("--hostname", "deck", "-e", "COLOUR=red", "-w", "/tmp", "--user", "sailor", "--cap-drop", "all",
                  "--read-only", "--tmpfs", "/scratch", "-v", f"{tmp_path}:/data:ro",
                  "--security-opt", "no-new-privileges", "--ulimit", "nofile=100:200", "--ulimit", "nproc=100:200",
                  probe=("--read", "/data/note"))
    assert (seen.hostname, seen.cwd, set(seen.uids)) == ("deck", "/tmp", {1000})
    assert "COLOUR=red" in seen.env
    assert seen.capabilities("Bnd") == set()
    assert seen.no_new_privs == 1 and seen.status["Seccomp"] == "2"
    assert "ro" in seen.mount("/")["options"]
    assert seen.mount("/scratch")["fstype"] == "tmpfs"
    assert seen.file("/data/note") == "from the host"
    assert seen.rlimits["RLIMIT_NOFILE"] == [100, 200]


def test_privileged(report):
    seen = report("--privileged", probe=("--stat", "/dev/kmsg"))
    with open("/proc/self/status") as file:
        mine = next(line.split()[1] for line in file if line.startswith("CapBnd"))
    assert seen.status["CapBnd"] == mine and seen.status["Seccomp"] == "0"
    assert seen.stats["/dev/kmsg"]["type"] == "char"


def test_limits(podman, native):
    if native.unified:
        files = {"memory.max": "67108864", "cpu.max": "50000 100000", "pids.max": "50"}
    else:
        files = {"memory/memory.limit_in_bytes": "67108864", "cpu/cpu.cfs_quota_us": "50000", "pids/pids.max": "50"}
    shown = podman.must("run", "--rm", "-m", "64m", "--cpus", "0.5", "--pids-limit", "50", "-w", "/sys/fs/cgroup",
                        IMAGE, "cat", *files)
    assert shown.splitlines() == list(files.values())


def test_a_person_at_a_terminal(podman):
    with podman.terminal("run", "--rm", "-it", IMAGE, "sh") as terminal:
        terminal.expect("# ")
        terminal.type("tty; echo $((40 + 2))\n")
        assert "/dev/pts/0" in terminal.expect("\r\n42")
        terminal.type("exit 5\n")
        assert terminal.end() == 5


def test_init(podman):
    shown = podman.must("run", "--rm", "--init", IMAGE, "sh", "-c",
                        "cat /proc/1/comm; (sleep 0.1 &); sleep 0.5; grep -l 'State:.Z' /proc/[0-9]*/status; echo done")
    assert shown == "podman-init\ndone"


def test_user_namespace(report):
    seen = report("--uidmap", "0:200000:4096", "--gidmap", "0:300000:4096")
    assert seen.file("/proc/self/uid_map").split() == ["0", "200000", "4096"]
    assert seen.file("/proc/self/gid_map").split() == ["0", "300000", "4096"]
    assert set(seen.uids) == {0}


def test_pod(podman):
    podman.must("pod", "create", "--name", "ship", "--share", "ipc,net,uts,pid", "--hostname", "deck")
    podman.must("run", "-d", "--pod", "ship", "--name", "one", IMAGE, "sh", "-c", "echo x >/dev/shm/shared; exec sleep 300")
    wait_until(lambda: podman("run", "--rm", "--pod", "ship", IMAGE, "cat", "/dev/shm/shared").ok, seconds=20,
               what="shared memory")
    shown = podman.must("run", "--rm", "--pod", "ship", IMAGE, "sh", "-c", "hostname; cat /proc/[0-9]*/comm | grep -c sleep")
    assert shown.split() == ["deck", "2"]
    podman.must("pod", "pause", "ship")
    assert inspect(podman, "one")["State"]["Status"] == "paused"
    podman.must("pod", "unpause", "ship")
    podman.must("pod", "stop", "--time", "0", "ship")
    podman.must("pod", "rm", "ship")


def test_kube_play(podman, tmp_path):
    manifest = tmp_path / "pod.yaml"
    manifest.write_text(f"""
apiVersion: v1
kind: Pod
metadata:
  name: crew
spec:
  containers:
  - name: first
    image: {IMAGE}
    imagePullPolicy: Never
    command: [sh, -c, "echo $GREETING; sleep 300"]
    env: [{{name: GREETING, value: ahoy}}]
    resources: {{limits: {{memory: 64Mi}}}}
    securityContext: {{runAsUser: 1000, readOnlyRootFilesystem: true, capabilities: {{drop: [ALL]}}}}
""")
    podman.must("kube", "play", "--network", "none", manifest)
    wait_until(lambda: "ahoy" in podman.must("logs", "crew-first"), seconds=20, what="the container's words")
    podman.must("kube", "down", manifest)


def test_pause_and_unpause(podman):
    id = podman.must("run", "-d", IMAGE, "sh", "-c", "while :; do echo tick; sleep 0.1; done")
    podman.must("pause", id)
    assert inspect(podman, id)["State"]["Status"] == "paused"
    before = podman.must("logs", id)
    time.sleep(0.5)
    assert podman.must("logs", id) == before
    podman.must("unpause", id)
    wait_until(lambda: podman.must("logs", id) != before, seconds=20, what="it goes on")


def test_stats_and_top(podman, sleeper):
    id = sleeper("-m", "64m")
    shown = podman.must("stats", "--no-stream", "--no-reset", "--format", "{{.PIDs}} {{.MemUsage}}", id)
    assert shown.startswith("1 ") and "67.11MB" in shown
    assert "sleep 300" in podman.must("top", id, "args")


def test_exec(podman, sleeper):
    id = sleeper("--user", "1000", "-e", "COLOUR=red")
    result = podman("exec", "-e", "TASTE=sour", "-w", "/tmp", id, "sh", "-c", "echo $COLOUR $TASTE $PWD $(id -u); exit 9")
    assert (result.status, result.stdout) == (9, "red sour /tmp 1000\n")
    assert podman("exec", "-i", id, "cat", input="through\n").stdout == "through\n"
    result = podman("exec", id, "missing")
    assert result.status == 127 and "executable file not found in $PATH" in result.stderr, result
    result = podman("exec", id, "/etc/passwd")
    assert result.status == 126 and "permission denied" in result.stderr.lower(), result


def test_exec_at_a_terminal(podman, sleeper):
    with podman.terminal("exec", "-it", sleeper(), "sh") as terminal:
        terminal.expect("# ")
        terminal.type("tty; echo $((40 + 2))\n")
        assert "/dev/pts/" in terminal.expect("\r\n42")
        terminal.type("exit 5\n")
        assert terminal.end() == 5


def test_health_check(podman, sleeper):
    id = sleeper("--health-cmd", "test -e /tmp/well", "--health-interval", "disable", "--health-retries", "1")
    assert podman("healthcheck", "run", id).status == 1
    podman.must("exec", id, "touch", "/tmp/well")
    podman.must("healthcheck", "run", id)
    assert inspect(podman, id)["State"]["Health"]["Status"] == "healthy"


def test_stop_kill_wait(podman, sleeper):
    id = podman.must("run", "-d", IMAGE, "/probe", "trap", "15", "10")
    wait_until(lambda: "ready" in podman.must("logs", id), seconds=20, what="the program's first words")
    podman.must("kill", "-s", "USR1", id)
    assert podman.must("wait", id) == "0"
    other = sleeper()
    podman.must("kill", other)
    assert podman.must("wait", other) == "137"
    assert podman("kill", other).status == 125
    third = podman.must("run", "-d", IMAGE, "/probe", "trap", "15")
    wait_until(lambda: "ready" in podman.must("logs", third), seconds=20, what="the program's first words")
    podman.must("stop", third)
    assert inspect(podman, third)["State"]["ExitCode"] == 0


def test_out_of_memory(podman, native):
    id = podman.must("run", "-d", "-m", "16m", "--memory-swap", "16m", IMAGE, "/probe", "alloc", str(64 << 20))
    assert podman.must("wait", id) == "137"
    if native.unified:  # conmon does not find the memory controller of a hybrid host, with runc neither
        assert inspect(podman, id)["State"]["OOMKilled"] is True


def test_sd_notify(podman, tmp_path):
    """As in a unit of `podman generate systemd`: conmon says READY when the container runs, and whose MAINPID it is."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(20)
        client = type(podman)(podman.cell, podman.base, {**podman.environment, "NOTIFY_SOCKET": path})
        client.must("run", "-d", "--sdnotify", "conmon", IMAGE, "sleep", "300")
        seen = ""
        while "READY=1" not in seen:
            seen += manager.recv(4096).decode() + "\n"
        assert "MAINPID=" in seen


@pytest.mark.parametrize("command, status, words", [
    (["missing"], 127, 'exec: "missing": executable file not found in $PATH'),
    (["/bin/missing"], 127, "no such file or directory"),
    (["/etc/passwd"], 126, "permission denied"),
    (["/etc"], 126, ""),
], ids=["no such command", "no such path", "not executable", "a directory"])
def test_command_that_cannot_run(podman, command, status, words):
    result = podman("run", "--rm", IMAGE, *command)
    assert result.status == status and words in result.stderr, result


@pytest.mark.parametrize("options, status, words", [
    (["--user", "nobody-here"], 126, "unable to find user nobody-here"),
    (["-v", "{source}:/etc"], 126, "not a directory"),
    (["-v", "{source}:/proc/sys"], 126, "because it is inside /proc"),
    (["-m", "100k"], 126, "the memory limit may be too low to start a container"),
], ids=["user", "file on a directory", "mount in proc", "too little memory to start"])
def test_options_that_cannot_be(podman, tmp_path, options, status, words):
    source = tmp_path / "file"
    source.write_text("")
    result = podman("run", "--rm", *(option.format(source=source) for option in options), IMAGE, "true")
    assert result.status == status and words in result.stderr, result
