"""Configurations that engines wrote, and the one that `berth spec` writes, run as they are: on this host's own cgroups,
and in a cgroup2 view with the limits taken out that it has no controllers for."""

import json
import subprocess

import pytest

from harness.configurations import engine_config, fill, without_limits_that
from harness.marks import both_views

pytestmark = both_views

GREETINGS = {"docker-default": "hi\n", "podman-default": "hi-from-podman\n", "containerd-default": "hi-from-containerd\n"}


@pytest.fixture
def engine_bundle(bundle, view, busybox, token):
    def make(name, *probe_args):
        config = without_limits_that(view, engine_config(name))
        config["linux"]["cgroupsPath"] += "-" + token
        made = bundle(*probe_args, config=config, write=False)
        fill(made, busybox)
        made.write()
        return made
    return make


@pytest.mark.parametrize("name", sorted(GREETINGS))
def test_runs_as_the_engine_wrote_it(engine_bundle, container, name):
    with container(engine_bundle(name)) as box:
        result = box.run()
    assert (result.status, result.stdout, result.stderr) == (0, GREETINGS[name], "")


@pytest.mark.parametrize("name", sorted(GREETINGS))
def test_through_the_whole_lifecycle(engine_bundle, container, name):
    from harness.runtime import exit_status
    with container(engine_bundle(name, "sleep")) as box:
        box.must("create")
        pid = box.pid
        box.must("start")
        box.must("pause")
        box.must("resume")
        box.must("kill", "KILL")
        assert exit_status(pid) == 137
        box.must("delete")


def capabilities(config, set_name):
    return set(config["process"]["capabilities"][set_name])


@pytest.mark.parametrize("name", sorted(GREETINGS))
def test_what_the_container_gets(engine_bundle, container, view, name):
    made = engine_bundle(name, "report", "--try", "unshare-user", "--try", "personality:0x0040000", "--try", "syscall:250",
                         "--try", "write:/proc/sys/kernel/hostname", "--try", "read:/dev/null", "--try", "clone3",
                         "--try", "mknod-open:/tmp/disk,b,254,0", "--read", "/etc/hosts", "--read", "/proc/kcore",
                         "--try", "syscall:999")
    config = made.config
    with container(made) as box:
        seen = box.run().report
    assert seen.pid == 1
    assert seen.env[:len(config["process"]["env"])] == config["process"]["env"]
    for kernel, name_in_config in (("Bnd", "bounding"), ("Prm", "permitted"), ("Eff", "effective")):
        assert seen.capabilities(kernel) == capabilities(config, name_in_config)
    assert seen.capabilities("Inh") == seen.capabilities("Amb") == set()
    for entry in config["mounts"]:
        found = seen.mount(entry["destination"])
        kept = {"nosuid", "nodev", "noexec", "ro"} & set(entry["options"])
        if entry["type"] != "cgroup":
            assert kept <= found["options"], entry
        if entry["type"] not in ("bind", "cgroup"):
            assert found["fstype"] == entry["type"]
    if config.get("hostname"):
        assert seen.hostname == config["hostname"]
    assert seen.tries["write:/proc/sys/kernel/hostname"] == 30
    assert seen.tries["read:/dev/null"] == 0
    assert seen.tries["mknod-open:/tmp/disk,b,254,0"] == 1
    assert not isinstance(seen.file("/proc/kcore"), str) or seen.file("/proc/kcore") == ""
    assert seen.loopback["up"]
    filtered = "seccomp" in config["linux"]
    assert seen.status["Seccomp"] == ("2" if filtered else "0")
    if filtered:
        assert seen.tries["personality:0x0040000"] == {"docker-default": 1, "podman-default": 38}[name]
        assert seen.tries["syscall:999"] in {"docker-default": (1, 38), "podman-default": (38,)}[name]
    for limit in config["process"].get("rlimits", []):
        assert seen.rlimits[limit["type"]] == [limit["soft"], limit["hard"]]
    for key, value in config["linux"].get("sysctl", {}).items():
        assert key.startswith("net.") and value


def test_limits_of_the_podman_configuration(engine_bundle, container, view):
    if "pids" not in view.controllers:
        pytest.skip("no pids controller in the v2 view: a v1 hierarchy of this host holds it")
    with container(engine_bundle("podman-default", "sleep")) as box:
        box.must("create")
        with open(view.cgroup_of(box.pid, "pids") + "/pids.max") as file:
            assert file.read() == "2048\n"


def test_output_of_spec(runtime, bundle, container, view, busybox, token):
    made = bundle(write=False)
    result = runtime("spec", "--bundle", made.path)
    assert result.ok, result
    with open(made.path + "/config.json") as file:
        config = json.load(file)
    made.busybox(busybox)
    # As it is: a terminal and `sh`. A pseudo-terminal of the caller's is what an admin has.
    if config["process"]["terminal"]:
        with container(made) as box:
            script = subprocess.run(
                ["script", "-qec", " ".join(runtime.command("run", "--bundle", made.path, box.id)), "/dev/null"],
                input="echo in-$((40+2)); exit 5\n", capture_output=True, text=True, timeout=20, check=False,
                preexec_fn=lambda: view.enter("/"))
            assert "in-42" in script.stdout, script
            assert script.returncode == 5, script
    # Adapted as the README says: no terminal, a program.
    config["process"].update(terminal=False, args=["/probe", "report"])
    made.config = config
    made.write()
    with container(made) as box:
        seen = box.run().report
    assert seen.pid == 1
    assert "ro" in seen.mount("/")["options"]
    assert seen.capabilities("Bnd") == capabilities(config, "bounding")


def test_specification_examples(runtime, bundle, container, view):
    """The smallest configuration: what the specification requires and no more."""
    made = bundle(write=False)
    made.config = {"ociVersion": "1.0.0", "root": {"path": "rootfs"},
                   "process": {"cwd": "/", "args": ["/probe", "exit", "4"], "user": {"uid": 0, "gid": 0}},
                   "linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}]}}
    made.write()
    with container(made) as box:
        assert box.run().status == 4


def test_unknown_properties_are_ignored(run, runtime, bundle, container, tmp_path):
    """The specification: unknown properties MUST be ignored. With --debug they are told."""
    def change(config):
        config["x-vendor"] = {"a": 1}
        config["process"]["x-unknown"] = True
        config["linux"]["namespaces"][0]["x"] = []

    assert run("exit", 0, change=change).ok
    log = tmp_path / "log"
    with container(bundle("exit", 0, change=change)) as box:
        assert runtime.with_args("--debug", "--log", str(log))("run", "--bundle", box.bundle.path, box.id).ok
    for pointer in ("/x-vendor", "/process/x-unknown", "/linux/namespaces/0/x"):
        assert f"{pointer}: unknown property, ignored" in log.read_text()


def test_properties_of_windows_are_ignored(report):
    """Beside those of Linux: the specification has them in the same objects, and its block beside `linux`."""
    def change(config):
        config["process"]["commandLine"] = "C:\\probe.exe"
        config["process"]["user"].update(uid=7, username="administrator")
        config["windows"] = {"layerFolders": ["C:\\layer"]}

    seen = report(change=change)
    assert seen.args == ["/probe", "report"]
    assert seen.uids == [7] * 3
