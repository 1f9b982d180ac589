"""Podman with the runtime under test in its containers.conf: conmon starts it and reads what it writes."""

import json
import os
import socket
import time

import pytest

from harness.engine import Client, outcome
from harness.report import Report
from harness.runtime import wait_until

IMAGE = "docker.io/library/box:1"

#: What cannot be is refused with the same status and the same decisive words as by runc, which Podman's users are used to.
BOTH = ((), ("--runtime", "/usr/sbin/runc"))


def refusal(podman, runtime, *arguments):
    """What Podman says of a container that cannot be. When systemd has taken the cgroup away before runc looks there for the
    reason, runc warns of that, and Podman takes the warning for the error: then runc is asked again."""
    for _ in range(5):
        result = podman(*runtime, "run", "--rm", *arguments)
        if not runtime or "memory.events: no such file" not in result.stderr:
            break
    return result


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
    """The program is the one of the package catatonit."""
    shown = podman.must("run", "--rm", "--init", IMAGE, "sh", "-c",
                        "cat /proc/1/comm; (sleep 0.1 &); sleep 0.5; grep -l 'State:.Z' /proc/[0-9]*/status; echo done")
    assert shown == "podman-init\ndone"
    assert "catatonit" in podman.must("run", "--rm", "--init", IMAGE, "/run/podman-init", "--version")


def test_user_namespace(report):
    seen = report("--uidmap", "0:200000:4096", "--gidmap", "0:300000:4096")
    assert seen.file("/proc/self/uid_map").split() == ["0", "200000", "4096"]
    assert seen.file("/proc/self/gid_map").split() == ["0", "300000", "4096"]
    assert set(seen.uids) == {0}


def test_user_namespaces_of_their_own_and_of_others(podman, report):
    id = podman.must("run", "-d", "--userns", "auto:size=4096", "--user", "sailor", IMAGE, "sleep", "300")
    uid_map = podman.must("exec", id, "cat", "/proc/self/uid_map").split()
    assert int(uid_map[1]) >= 300000 and uid_map[2] == "4096"
    seen = report("--userns", f"container:{id}")
    assert seen.file("/proc/self/uid_map").split() == uid_map
    assert seen.namespaces["user"] == podman.must("exec", id, "readlink", "/proc/self/ns/user")


def test_network(podman):
    """Podman makes the network namespace, the runtime joins it."""
    first = podman.must("run", "-d", "--network", "podman", IMAGE, "nc", "-ll", "-p", "80", "-e", "hostname")
    address = inspect(podman, first)["NetworkSettings"]["Networks"]["podman"]["IPAddress"]
    assert podman.must("run", "--rm", "--network", "podman", IMAGE, "nc", address, "80") == first[:12]
    assert podman.must("run", "--rm", "--network", f"container:{first}", IMAGE, "nc", "127.0.0.1", "80") == first[:12]


@pytest.mark.usefixtures("pods_go_away")
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


@pytest.mark.usefixtures("pods_go_away")
def test_pod_with_a_user_namespace(podman):
    podman.must("pod", "create", "--name", "ship", "--userns", "auto:size=4096")
    maps = {podman.must("run", "--rm", "--pod", "ship", IMAGE, "cat", "/proc/self/uid_map") for _ in range(2)}
    assert len(maps) == 1 and maps.pop().split()[2] == "4096"


@pytest.mark.usefixtures("pods_go_away")
def test_kube_play(podman, native, tmp_path):
    os.chmod(tmp_path, 0o755)
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
    volumeMounts: [{{name: hold, mountPath: /hold}}]
  volumes:
  - name: hold
    hostPath: {{path: {tmp_path}, type: Directory}}
""")
    podman.must("kube", "play", "--network", "none", manifest)
    wait_until(lambda: "ahoy" in podman.must("logs", "crew-first"), seconds=20, what="the container's words")
    limit = "/sys/fs/cgroup/" + ("memory.max" if native.unified else "memory/memory.limit_in_bytes")
    seen = Report(json.loads(podman.must("exec", "crew-first", "/probe", "report", "--read", limit)))
    assert set(seen.uids) == {1000} and seen.capabilities("Bnd") == set()
    assert "ro" in seen.mount("/")["options"] and seen.has_mount("/hold")
    assert seen.file(limit) == "67108864\n"
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


def test_update(podman, sleeper, native):
    """Podman 4.3 updates what belongs to memory, cpu, cpuset and block devices."""
    id = sleeper("-m", "64m")
    podman.must("update", "-m", "32m", "--memory-swap", "32m", "--cpus", "0.5", id)
    names = ["memory.max", "cpu.max"] if native.unified else ["memory/memory.limit_in_bytes", "cpu/cpu.cfs_quota_us"]
    shown = podman.must("exec", "-w", "/sys/fs/cgroup", id, "cat", *names)
    assert shown.splitlines() == ["33554432", "50000 100000" if native.unified else "50000"]


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


def test_exec_at_a_terminal(podman, sleeper):
    with podman.terminal("exec", "-it", sleeper(), "sh") as terminal:
        terminal.expect("# ")
        terminal.type("tty; echo $((40 + 2))\n")
        assert "/dev/pts/" in terminal.expect("\r\n42")
        terminal.type("exit 5\n")
        assert terminal.end() == 5


@pytest.mark.parametrize("command, status, words", [
    (["missing"], 127, 'executable file not found in $PATH'),
    (["/etc/passwd"], 126, "permission denied"),
    (["-w", "/nowhere", "true"], 127, "no such file or directory"),
], ids=["no such command", "not executable", "no such directory"])
def test_exec_of_what_cannot_run(podman, command, status, words):
    options, command = (command[:2], command[2:]) if command[0] == "-w" else ([], command)
    for runtime in BOTH:
        id = podman.must(*runtime, "run", "-d", IMAGE, "sleep", "300")
        result = podman("exec", *options, id, *command)
        assert result.status == status and words.lower() in result.stderr.lower(), result


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


def test_out_of_memory(podman):
    """Whether State.OOMKilled says so is conmon's matter: here it says no, with runc too."""
    id = podman.must("run", "-d", "-m", "16m", "--memory-swap", "16m", IMAGE, "/probe", "alloc", str(64 << 20))
    assert podman.must("wait", id) == "137"


@pytest.fixture
def service_manager(podman, tmp_path):
    """Podman in a unit of Type=notify; `messages(until)` is what it told systemd."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)

        def messages(until, seconds=20):
            manager.settimeout(seconds)
            seen = []
            while not any(message.startswith(until) for message in seen):
                seen += manager.recv(4096).decode().splitlines()
            return seen

        client = Client(podman.cell, podman.base, {**podman.environment, "NOTIFY_SOCKET": path})
        client.messages = messages
        yield client


def program_of(podman, messages):
    """The name of the process that the service manager is told to look after."""
    (pid,) = [message.removeprefix("MAINPID=") for message in messages if message.startswith("MAINPID=")]
    return outcome(podman.cell.command("cat", f"/proc/{pid}/comm"), 10).stdout.strip()


def test_sd_notify_by_the_container(service_manager, tmp_path):
    """READY is the program's own word, which conmon hands on."""
    service_manager.must("run", "-d", "--sdnotify", "container", "-v", f"{tmp_path}:/hold", IMAGE, "sh", "-c",
                         "until test -e /hold/go; do sleep 0.1; done; exec /probe notify READY=1")
    assert program_of(service_manager, service_manager.messages(until="MAINPID=")) == "conmon"
    with pytest.raises(TimeoutError):
        service_manager.messages(until="READY=1", seconds=0.5)
    (tmp_path / "go").touch()
    service_manager.messages(until="READY=1")


def test_unit_of_generate_systemd(podman, service_manager, tmp_path):
    """Its commands are run as systemd would."""
    podman.must("create", "--name", "served", "--stop-signal", "KILL", IMAGE, "sleep", "300")
    unit = podman.must("generate", "systemd", "--new", "served").replace("\\\n", "").replace("%t/%n", f"{tmp_path}/unit")
    commands = dict(line.split("=", 1) for line in unit.splitlines() if line.startswith("Exec"))
    podman.must("rm", "served")

    def carry_out(name):
        ran = service_manager(*commands[name].replace(" ".join(podman.base), "/usr/bin/podman", 1).split()[1:])
        assert ran.ok, ran

    assert "--sdnotify=conmon" in commands["ExecStart"]
    carry_out("ExecStart")
    assert program_of(podman, service_manager.messages(until="READY=1")) == "conmon"
    assert inspect(podman, "served")["State"]["Running"]
    carry_out("ExecStop")
    carry_out("ExecStopPost")
    assert podman.must("ps", "--all", "--quiet") == ""


@pytest.mark.parametrize("command, status, words", [
    (["missing"], 127, "executable file not found in $PATH"),
    (["/bin/missing"], 127, "no such file or directory"),
    (["/etc/passwd"], 126, "permission denied"),
    (["/etc"], 126, "permission denied"),
    ([""], 127, "executable file not found in $PATH"),
    (["/etc/passwd/x"], 126, "not a directory"),
], ids=["no such command", "no such path", "not executable", "a directory", "empty", "below a file"])
def test_command_that_cannot_run(podman, command, status, words):
    for runtime in BOTH:
        result = refusal(podman, runtime, IMAGE, *command)
        assert result.status == status and words in result.stderr, result


@pytest.mark.parametrize("options, status, words", [
    (["--user", "nobody-here"], 126, "unable to find user nobody-here"),
    (["-v", "{source}:/etc"], 126, "not a directory"),
    (["-v", "{source}:/proc/sys"], 126, "because it is inside /proc"),
    (["-m", "100k"], 126, "memory limit"),
    (["--sysctl", "net.wrong=1"], 127, "net/wrong"),
    (["--hostname", 65 * "x"], 126, "hostname"),
], ids=["user", "file on a directory", "mount in proc", "too little memory to start", "kernel parameter", "too long a name"])
def test_options_that_cannot_be(podman, tmp_path, pytestconfig, options, status, words):
    source = tmp_path / "file"
    source.write_text("")
    for runtime in BOTH:
        result = refusal(podman, runtime, *(option.format(source=source) for option in options), IMAGE, "true")
        if runtime and "-m" in options and pytestconfig.getoption("--podman-cgroups") == "systemd":
            # runc looks for the reason in the cgroup, which systemd has taken away with the killed process.
            assert result.status in (126, 127) and "memory" in result.stderr, result
            continue
        assert result.status == status and words in result.stderr, result
