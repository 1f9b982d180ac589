"""containerd's CRI service with the runtime under test: what a kubelet asks for, by its own calls."""

import json
import os

import pytest

from harness.cri import Pod
from harness.engine import remove_cgroups
from harness.marks import needs_sys_resource
from harness.report import Report
from harness.runtime import wait_until

IMAGE = "docker.io/library/box:1"
MIB = 1 << 20


@pytest.fixture
def pod(cri, token, tmp_path, request):
    """pod(name, network="NODE" or "POD") is a pod; its containers' output goes to tmp_path/NAME.log."""
    def make(name, network="NODE", handler="berth", **options):
        namespaces = {"network": network, "pid": options.pop("pid", "POD")}
        config = {"metadata": {"name": name, "uid": f"{token}-{name}", "namespace": "tests"},
                  "hostname": "" if network == "NODE" else name, "log_directory": str(tmp_path),
                  "linux": {"cgroup_parent": f"/{token}-pods", **options.pop("linux", {}),
                            "security_context": {"namespace_options": namespaces, **options.pop("security", {})}}}
        assert not options
        return Pod(cri, config, handler)
    yield make
    if "runc" in request.node.name:
        remove_cgroups(f"/{token}-pods")  # which runc leaves


@pytest.fixture
def container(token):
    """The configuration of a container of a pod."""
    def make(name, *command, resources=None, security=None, pid="POD", network="NODE", **options):
        context = {"namespace_options": {"network": network, "pid": pid}, **(security or {})}
        return {"metadata": {"name": name}, "image": {"image": IMAGE}, "command": command or ["sleep", "300"],
                "log_path": f"{name}.log", "linux": {"resources": resources or {}, "security_context": context}, **options}
    return make


def words(path):
    """What a container wrote, from its log in the form that a kubelet reads: time, stream, whether it is a whole line, text."""
    with open(path) as file:
        return "".join(line.split(" ", 3)[3] for line in file)


def report(cri, id, *arguments):
    """What the probe reports when it runs in a container."""
    status, out, err = cri.exec_sync(id, "/probe", "report", *arguments)
    assert status == 0, err
    return Report(json.loads(out))


def test_two_containers(cri, pod, container, tmp_path):
    with pod("pair", linux={"sysctls": {"kernel.msgmax": "4096"}}) as made:
        assert cri("PodSandboxStatus", pod_sandbox_id=made.id)["status"]["state"] == "SANDBOX_READY"
        one = made.create(container("one"))
        assert made.status(one)["state"] == "CONTAINER_CREATED"
        cri("StartContainer", container_id=one)
        two = made.start(container("two", "sh", "-c", "echo x >/dev/shm/shared; echo out; echo err >&2; exec /probe trap 15 10"))
        wait_until(lambda: "ready" in words(tmp_path / "two.log"), seconds=20, what="the program's first words")
        assert {"out\n", "err\n"} <= set(words(tmp_path / "two.log").splitlines(keepends=True))
        seen, other = report(cri, one, "--read", "/dev/shm/shared"), report(cri, two)
        assert seen.file("/dev/shm/shared") == "x\n"
        for name in ("ipc", "net", "pid", "uts"):
            assert seen.namespaces[name] == other.namespaces[name], name
        assert seen.namespaces["mnt"] != other.namespaces["mnt"]
        status, shown, _ = cri.exec_sync(one, "sh", "-c", "cat /proc/sys/kernel/msgmax /proc/1/comm; ls /proc/[0-9]*/exe | wc -l")
        assert shown.split()[:2] == ["4096", "probe"] and int(shown.split()[2]) >= 4
        assert [made.status(id)["state"] for id in (one, two)] == ["CONTAINER_RUNNING"] * 2
        cri("StopContainer", container_id=one, timeout=0)
        cri("StopContainer", container_id=two, timeout=20)
        for id, code, reason in ((one, 137, "Error"), (two, 0, "Completed")):
            ended = made.status(id)
            assert (ended["state"], ended["exit_code"], ended["reason"]) == ("CONTAINER_EXITED", code, reason)
        cri("RemoveContainer", container_id=one)
        assert "not found" in cri.refusal("ContainerStatus", container_id=one)
        third = made.start(container("third", "sh", "-c", "exit 7"))
        wait_until(lambda: made.status(third)["state"] == "CONTAINER_EXITED", seconds=20, what="the end")
        assert made.status(third)["exit_code"] == 7
        cri("StopPodSandbox", pod_sandbox_id=made.id)
        assert cri("PodSandboxStatus", pod_sandbox_id=made.id)["status"]["state"] == "SANDBOX_NOTREADY"


def test_pod_network(cri, pod, container):
    with pod("web", network="POD") as made:
        address = cri("PodSandboxStatus", pod_sandbox_id=made.id)["status"]["network"]["ip"]
        assert address.startswith("10.213.0.")
        made.start(container("server", "nc", "-ll", "-p", "80", "-e", "hostname", network="POD"))
        client = made.start(container("client", network="POD"))
        for host in ("127.0.0.1", address):
            wait_until(lambda: cri.exec_sync(client, "nc", host, "80")[:2] == (0, "web\n"), seconds=20, what="an answer")
        assert f"inet addr:{address}" in cri.exec_sync(client, "ifconfig", "eth0")[1]
        seen = report(cri, client)
        assert seen.hostname == "web" and seen.namespaces["net"] != os.readlink(f"/proc/{cri.cell.pid}/ns/net")
        with pod("other", network="POD") as neighbour:
            assert cri.exec_sync(neighbour.start(container("asks", network="POD")), "nc", address, "80")[:2] == (0, "web\n")


def test_the_process(cri, pod, container, tmp_path):
    os.chmod(tmp_path, 0o755)
    (tmp_path / "note").write_text("from the host")
    security = {"run_as_user": {"value": 1000}, "run_as_group": {"value": 1000}, "supplemental_groups": [3000],
                "readonly_rootfs": True, "no_new_privs": True, "seccomp": {"profile_type": "RuntimeDefault"},
                "capabilities": {"drop_capabilities": ["ALL"], "add_capabilities": ["NET_RAW"]},
                "masked_paths": ["/proc/keys"], "readonly_paths": ["/proc/bus"]}
    with pod("careful", pid="CONTAINER") as made:
        id = made.start(container("one", security=security, pid="CONTAINER", working_dir="/tmp",
                                  envs=[{"key": "COLOUR", "value": "red"}],
                                  mounts=[{"container_path": "/data", "host_path": str(tmp_path), "readonly": True}],
                                  devices=[{"container_path": "/dev/hole", "host_path": "/dev/null", "permissions": "rwm"}]))
        seen = report(cri, id, "--read", "/data/note", "--stat", "/dev/hole", "--stat", "/proc/keys")
        assert (set(seen.uids), set(seen.gids), seen.cwd) == ({1000}, {1000}, "/tmp")
        assert 3000 in seen.groups and 2000 in seen.groups
        assert "COLOUR=red" in seen.env
        assert "ro" in seen.mount("/")["options"] and "ro" in seen.mount("/data")["options"]
        assert "ro" in seen.mount("/proc/bus")["options"] and seen.has_mount("/proc/keys")
        assert seen.file("/data/note") == "from the host"
        assert (seen.stats["/dev/hole"]["major"], seen.stats["/dev/hole"]["minor"]) == (1, 3)
        assert seen.capabilities("Bnd") == {"CAP_NET_RAW"}
        assert seen.no_new_privs == 1 and seen.status["Seccomp"] == "2"
        assert cri.exec_sync(id, "cat", "/proc/1/comm")[1] == "sleep\n"


@needs_sys_resource  # containerd asks for every capability that it knows
def test_privileged(cri, pod, container):
    with pod("free", security={"privileged": True}) as made:
        seen = report(cri, made.start(container("one", security={"privileged": True})), "--stat", "/dev/kmsg")
        assert seen.status["Seccomp"] == "0" and seen.stats["/dev/kmsg"]["type"] == "char"
        assert "rw" in seen.mount("/sys")["options"]


def test_limits_and_stats(cri, pod, container, native):
    if native.unified:
        names = ["memory.max", "cpu.max"]
        values = {"created": ["67108864", "50000 100000"], "updated": ["33554432", "20000 100000"]}
    else:
        names = ["memory/memory.limit_in_bytes", "cpu/cpu.cfs_quota_us"]
        values = {"created": ["67108864", "50000"], "updated": ["33554432", "20000"]}

    def limits(id):
        return cri.exec_sync(id, "sh", "-c", "cd /sys/fs/cgroup; cat " + " ".join(names))[1].splitlines()

    with pod("small") as made:
        id = made.start(container("one", resources={"memory_limit_in_bytes": 64 * MIB, "cpu_period": 100000, "cpu_quota": 50000}))
        assert limits(id) == values["created"]
        stats = cri("ContainerStats", container_id=id)["stats"]
        used, available = (int(stats["memory"][name]["value"]) for name in ("working_set_bytes", "available_bytes"))
        assert 0 < used < 64 * MIB and used + available == 64 * MIB
        assert int(stats["cpu"]["usage_core_nano_seconds"]["value"]) > 0
        whole = cri("PodSandboxStats", pod_sandbox_id=made.id)["stats"]["linux"]
        assert [container["attributes"]["id"] for container in whole["containers"]] == [id]
        cri("UpdateContainerResources", container_id=id,
            linux={"memory_limit_in_bytes": 32 * MIB, "cpu_period": 100000, "cpu_quota": 20000})
        assert limits(id) == values["updated"]


def test_out_of_memory(cri, pod, container):
    with pod("hungry") as made:
        id = made.start(container("one", "/probe", "alloc", str(64 * MIB), resources={"memory_limit_in_bytes": 16 * MIB}))
        wait_until(lambda: made.status(id)["state"] == "CONTAINER_EXITED", seconds=20, what="the end")
        assert (made.status(id)["exit_code"], made.status(id)["reason"]) == (137, "OOMKilled")


def test_exec(cri, pod, container):
    with pod("entered") as made:
        id = made.start(container("one"))
        assert cri.exec_sync(id, "sh", "-c", "echo out; echo err >&2; exit 9") == (9, "out\n", "err\n")
        assert "timeout" in cri.refusal("ExecSync", container_id=id, cmd=["sleep", "100"], timeout=1)
        wait_until(lambda: "100" not in cri.exec_sync(id, "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")[1].split(),
                   seconds=20, what="the end of the command that took too long")
        result = cri.exec(id, "sh", "-c", "echo out; echo err >&2; exit 9")
        assert (result.status, result.stdout, result.stderr) == (9, "out\n", "err\n")
        assert cri.exec(id, "head", "-n1", input="through\n").stdout == "through\n"


def test_exec_at_a_terminal(cri, pod, container):
    with pod("typed") as made:
        id = made.start(container("one"))
        with cri.exec_terminal(id, "sh") as terminal:
            terminal.expect("# ")
            terminal.resize(rows=40, columns=90)
            terminal.type("until stty size 2>/dev/null | grep '40 90'; do sleep 0.1; done; echo $((40 + 2))\n")
            assert "\r\n40 90\r\n" in terminal.expect("\r\n42")
            terminal.type("exit 5\n")
            assert terminal.end() == 5


def test_attach(cri, pod, container):
    with pod("shell") as made:
        id = made.start(container("one", "sh", stdin=True, tty=True))
        with cri.attach_terminal(id) as terminal:
            terminal.type("tty; echo $((40 + 2))\n")
            assert "/dev/pts/0" in terminal.expect("\r\n42")
            terminal.type("exit 5\n")
            wait_until(lambda: made.status(id)["state"] == "CONTAINER_EXITED", seconds=20, what="the end")
        assert made.status(id)["exit_code"] == 5


@pytest.mark.parametrize("handler", ["runc", "berth"])  # a kubelet shows a person what runc's users are used to
def test_containers_that_cannot_be(cri, pod, container, tmp_path, handler):
    (tmp_path / "file").write_text("")

    def mount(target):
        return {"mounts": [{"container_path": target, "host_path": str(tmp_path / "file")}]}

    with pod("wrong", handler=handler) as made:
        for name, command, options, decisive in [
                ("name", ["missing"], {}, 'exec: "missing": executable file not found in $PATH'),
                ("path", ["/bin/missing"], {}, "no such file or directory"),
                ("mode", ["/etc/passwd"], {}, "permission denied"),
                ("directory", ["/etc"], {}, "permission denied"),
                ("mount", ["true"], mount("/etc"), "not a directory"),
                ("proc", ["true"], mount("/proc/sys"), "because it is inside /proc"),
                ("memory", ["true"], {"resources": {"memory_limit_in_bytes": 100 << 10}}, "memory limit")]:
            id = made.create(container(name, *command, **options))
            refusal = cri.refusal("StartContainer", container_id=id)
            assert "OCI runtime create failed: " in refusal and decisive in refusal
            ended = made.status(id)
            assert (ended["state"], ended["exit_code"], ended["reason"]) == ("CONTAINER_EXITED", 128, "StartError")
            assert decisive in ended["message"]
        unknown = container("user", security={"run_as_username": "nobody-here"})
        assert "no users found" in cri.refusal("CreateContainer", pod_sandbox_id=made.id, config=unknown,
                                               sandbox_config=made.config)


@pytest.mark.parametrize("handler", ["runc", "berth"])
def test_exec_of_what_cannot_run(cri, pod, container, handler):
    with pod("wrong", handler=handler) as made:
        id = made.start(container("one"))
        for command, decisive in [(["missing"], 'exec: "missing": executable file not found in $PATH'),
                                  (["/etc"], "permission denied")]:
            assert decisive in cri.refusal("ExecSync", container_id=id, cmd=command)
            assert decisive in cri.exec(id, *command).stderr
