"""Annotations that engines and users set for crun."""

import array
import os
import socket

import pytest


def annotations(**wanted):
    """run_oci_hooks_stdout=... is run.oci.hooks.stdout."""
    def change(config):
        config["annotations"] = {name: value for name, value in wanted.items()}
    return change


def hook(*command):
    return {"path": "/bin/sh", "args": ["sh", "-c", *command]}


def test_output_of_hooks(container, bundle, directory):
    out, err = os.path.join(directory, "hooks.out"), os.path.join(directory, "hooks.err")
    with open(out, "w") as file:
        file.write("before\n")
    stages = ["prestart", "createRuntime", "createContainer", "poststart", "poststop"]

    def change(config):
        annotations(**{"run.oci.hooks.stdout": out, "run.oci.hooks.stderr": err})(config)
        config["hooks"] = {stage: [hook(f"echo {stage}; echo {stage} >&2")] for stage in stages}

    with container(bundle("exit", 0, change=change)) as box:
        box.must("run")
    for path, first in ((out, ["before"]), (err, [])):
        with open(path) as file:
            assert file.read().split() == first + stages
        os.unlink(path)


def test_output_of_hooks_in_the_container(container, bundle, directory):
    out = os.path.join(directory, "hooks.out")

    def change(config):
        annotations(**{"run.oci.hooks.stdout": out})(config)
        config["hooks"] = {"startContainer": [{"path": "/probe", "args": ["probe", "echo", "from", "inside"]}]}

    with container(bundle("report", "--list", "/proc/self/fd", change=change)) as box:
        box.must("create")
        box.must("start")
        box.wait_status("stopped")
    with open(out) as file:
        assert file.read() == "from inside\n"
    os.unlink(out)


def test_the_error_of_a_hook_without_the_annotation(run):
    def change(config):
        config["hooks"] = {"createRuntime": [hook("echo why not; exit 3")]}

    assert "why not" in run("exit", 0, change=change).error


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("user_namespace", [False, True])
def test_original_groups(report, keep, user_namespace):
    def change(config):
        if keep:
            annotations(**{"run.oci.keep_original_groups": "1"})(config)
        if user_namespace:
            config["linux"]["namespaces"].append({"type": "user"})
            config["linux"]["uidMappings"] = [{"containerID": 0, "hostID": 0, "size": 65536}]
            config["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 0, "size": 65536}]

    seen = report(change=change, preexec=lambda: os.setgroups([4711, 4712]))
    assert seen.status["Groups"].split() == (["4711", "4712"] if keep else [])


def test_pidfd_receiver(container, bundle, directory):
    path = os.path.join(directory, "pidfd.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(path)
        server.listen(1)
        with container(bundle("sleep", change=annotations(**{"run.oci.pidfd_receiver": path}))) as box:
            box.must("create")
            connection, _ = server.accept()
            with connection:
                data, control, _, _ = connection.recvmsg(64, socket.CMSG_SPACE(4))
            pidfd = array.array("i", control[0][2])[0]
            with open(f"/proc/self/fdinfo/{pidfd}") as file:
                fields = dict(line.split(":", 1) for line in file)
            os.close(pidfd)
            assert data and int(fields["Pid"]) == box.pid
    os.unlink(path)


def test_nobody_receives_the_pidfd(run, directory):
    path = os.path.join(directory, "nobody.sock")
    assert "pidfd receiver" in run("exit", 0, change=annotations(**{"run.oci.pidfd_receiver": path})).error


@pytest.mark.parametrize("name", ["run.oci.hooks.stdout", "run.oci.hooks.stderr", "run.oci.pidfd_receiver"])
def test_relative_paths_are_refused(run, name):
    assert f"/annotations/{name}: got \"here\"" in run("exit", 0, change=annotations(**{name: "here"})).error


def test_others_change_nothing(report):
    seen = report(change=annotations(**{"org.criu.config": "/no/such/file", "run.oci.no_such": "1", "a.b": "c"}))
    assert seen.status["Seccomp"] == "0"
