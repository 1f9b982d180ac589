"""The six kinds of hooks: when they run, where, with what, and what their failure does."""

import json
import os
import signal
import time

import pytest

from harness.runtime import exit_status, wait_until

KINDS = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]


def hook(script, *args, path="/bin/sh", **more):
    return {"path": path, "args": ["sh", "-c", script, "hook", *args], **more}


def hooks(**by_kind):
    return lambda config: config.update(hooks={kind: entries if isinstance(entries, list) else [entries]
                                               for kind, entries in by_kind.items()})


@pytest.fixture
def hooked(bundle, busybox):
    """A bundle with a shell at the same path in the container, whose hooks write to the returned file."""
    def make(*probe_args, **by_kind):
        made = bundle(*probe_args, write=False)
        made.busybox(busybox, "cat")
        log = made.file("log")
        os.chmod(log, 0o666)
        made.config["mounts"].append({"destination": "/log", "type": "bind", "source": log, "options": ["bind"]})
        open(os.path.join(made.rootfs, "log"), "w").close()
        hooks(**{kind: entries(log) if callable(entries) else entries for kind, entries in by_kind.items()})(made.config)
        made.write()
        return made, log
    return make


def lines(log):
    with open(log) as file:
        return file.read().splitlines()


def test_order_and_stage(hooked, container):
    """createContainer's path is the runtime's, its namespaces are the container's; startContainer's are both."""
    def note(kind, times=1):
        target = "/log" if kind == "startContainer" else None
        return lambda log: [hook(f"echo {kind}{i} >> {target or log}") for i in range(times)]

    made, log = hooked("write", "/log", "program\n", **{kind: note(kind, 2) for kind in KINDS})
    with container(made) as box:
        box.must("create")
        pid = box.pid
        assert lines(log) == [f"{kind}{i}" for kind in ("prestart", "createRuntime", "createContainer") for i in (0, 1)]
        box.must("start")
        exit_status(pid)
        assert sorted(lines(log)[6:]) == ["poststart0", "poststart1", "program", "startContainer0", "startContainer1"]
        assert lines(log).index("startContainer1") < lines(log).index("program")
        assert lines(log).index("poststart0") < lines(log).index("poststart1")
        box.must("delete")
    assert lines(log)[-2:] == ["poststop0", "poststop1"]


@pytest.mark.parametrize("kind, status", [("prestart", "creating"), ("createRuntime", "creating"),
                                          ("createContainer", "creating"), ("startContainer", "created"),
                                          ("poststart", "running"), ("poststop", "stopped")])
def test_state_on_stdin(hooked, container, kind, status):
    made, log = hooked("sleep", 0.05, **{kind: lambda log: hook(
        f"cat > {'/log' if kind == 'startContainer' else log}")})
    with container(made) as box:
        box.must("create")
        pid = box.pid
        box.must("start")
        exit_status(pid)
        box.must("delete")
    with open(log) as file:
        state = json.load(file)
    assert state["id"] == box.id
    assert state["bundle"] == made.path
    assert state["ociVersion"]
    accepted = {"prestart": {"creating", "created"}, "createRuntime": {"creating", "created"},
                "createContainer": {"creating", "created"}}.get(kind, {status})
    assert state["status"] in accepted
    if kind in ("createContainer", "startContainer"):
        assert state["pid"] in (pid, 1)  # in the container's pid namespace it is 1
    elif kind != "poststop":
        assert state["pid"] == pid


@pytest.mark.parametrize("kind, in_container", [("prestart", False), ("createRuntime", False), ("createContainer", True),
                                                ("poststart", False), ("poststop", False)])
def test_namespaces(hooked, container, kind, in_container):
    made, log = hooked("sleep", 0.05, **{kind: lambda log: hook(
        f"readlink /proc/self/ns/uts >> {log}; readlink /proc/self/ns/net >> {log}")})
    with container(made) as box:
        box.must("run")
    own = [os.readlink(f"/proc/self/ns/{name}") for name in ("uts", "net")]
    assert (lines(log) != own) == in_container, (lines(log), own)


def test_start_container_runs_in_the_container(hooked, container):
    made, log = hooked("exit", 0, startContainer=hook("echo pid $$ >> /log; cat /proc/self/cmdline >/dev/null; ls / >/dev/null 2>&1;"
                                                       " [ -e /probe ] && echo root >> /log"))
    with container(made) as box:
        box.must("run")
    assert "root" in lines(log)
    assert int(lines(log)[0].split()[1]) < 20


def test_start_container_does_not_reach_the_host_s_binary(hooked, container):
    """The hook is a program of the container beside the process that still is the runtime (CVE-2019-5736). It has no
    capability that the container has not, and may not look."""
    made, log = hooked("exit", 0, startContainer=hook("/bin/busybox readlink /proc/1/exe > /log; echo $? >> /log"))
    with container(made) as box:
        box.must("run")
    assert lines(log) == ["1"]


def test_environment_is_exactly_the_hook_s(hooked, container):
    made, log = hooked("exit", 0, createRuntime=lambda log: hook(f"env > {log}", env=["ONE=1", "PATH=/bin:/usr/bin"]))
    with container(made) as box:
        box.must("run", env={"SECRET": "leaked", "PATH": os.environ["PATH"]})
    found = {line for line in lines(log) if line.split("=")[0] not in ("PWD", "SHLVL", "_", "OLDPWD")}
    assert found == {"ONE=1", "PATH=/bin:/usr/bin"}


def test_arguments(hooked, container):
    made, log = hooked("exit", 0, createRuntime=lambda log: {
        "path": "/bin/sh", "args": ["name-of-its-own", "-c", f'echo "$0|$1|$2" > {log}', "zero", "a b", ""]})
    with container(made) as box:
        box.must("run")
    assert lines(log) == ["zero|a b|"]


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer", "poststart", "poststop"])
def test_no_descriptor_but_stdio(hooked, container, probe, kind):
    made, log = hooked("exit", 0, **{kind: lambda log: hook(f"exec {probe} report > {log}")})
    with container(made) as box:
        box.must("run")
    with open(log) as file:
        assert set(json.load(file)["fds"]) == {"0", "1", "2"}


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
@pytest.mark.parametrize("command", ["create", "run"])
def test_failing_hook_fails_create_and_leaves_nothing(hooked, container, runtime, kind, command):
    made, log = hooked("write", "/log", "ran\n", **{kind: hook("echo reason >&2; exit 3")},
                       poststop=lambda log: hook(f"echo poststop >> {log}"))
    with container(made) as box:
        error = getattr(box, command)().error
        assert kind in error and "/bin/sh" in error and "3" in error and "reason" in error
        assert "does not exist" in runtime("state", box.id).error
    assert "ran" not in lines(log)


def test_failing_start_container_hook(hooked, container):
    made, log = hooked("write", "/log", "ran\n", startContainer=hook("echo reason >&2; exit 4"))
    with container(made) as box:
        box.must("create")
        pid = box.pid
        error = box.start().error
        assert "startContainer" in error and "4" in error
        exit_status(pid)
        assert box.status == "stopped"
        box.must("delete")
    assert lines(log) == []


def test_failing_poststop_hook_does_not_keep_the_container(hooked, container, runtime):
    """The specification: log a warning and go on."""
    made, log = hooked("exit", 0, poststop=lambda log: [hook("exit 5"), hook(f"echo second >> {log}")])
    with container(made) as box:
        box.must("create")
        pid = box.pid
        box.must("start")
        exit_status(pid)
        box.must("delete")
        assert "does not exist" in runtime("state", box.id).error
    assert lines(log) == ["second"]


def test_hook_killed_by_a_signal(hooked, container):
    made, _ = hooked("exit", 0, createRuntime=hook("kill -9 $$"))
    with container(made) as box:
        error = box.create().error
        assert "createRuntime" in error and ("SIGKILL" in error or "signal 9" in error or "Killed" in error)


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
def test_timeout_kills_the_hook_and_its_children(hooked, container, kind):
    made, log = hooked("exit", 0, **{kind: hook("sleep 300 & echo $! ; sleep 300", timeout=1)})
    with container(made) as box:
        begin = time.monotonic()
        error = box.create().error
        assert 0.8 < time.monotonic() - begin < 5
        assert kind in error and "1" in error and "time" in error.lower()


def test_hook_within_its_timeout(hooked, container):
    made, _ = hooked("exit", 6, createRuntime=hook("sleep 0.05", timeout=30))
    with container(made) as box:
        result = box.run()
        assert result.status == 6 and result.seconds < 5


def test_hook_that_does_not_read_its_stdin(hooked, container):
    """The state document may be larger than a pipe."""
    made, _ = hooked("exit", 0, createRuntime=hook("exit 0"))
    made.config["annotations"] = {f"key{i}": "x" * 1000 for i in range(200)}
    made.write()
    with container(made) as box:
        box.must("run")


def test_missing_hook(hooked, container):
    made, _ = hooked("exit", 0, createRuntime={"path": "/does/not/exist"})
    with container(made) as box:
        error = box.create().error
        assert "/does/not/exist" in error and "No such file or directory" in error


@pytest.mark.parametrize("entry, pointer", [({"path": "relative"}, "/hooks/createRuntime/0/path"),
                                            ({"path": "/x", "timeout": 0}, "/hooks/createRuntime/0/timeout"),
                                            ({"path": "/x", "timeout": -1}, "/hooks/createRuntime/0/timeout"),
                                            ({}, "/hooks/createRuntime/0/path")])
def test_malformed_hooks(run, entry, pointer):
    assert pointer in run("exit", 0, change=hooks(createRuntime=entry)).error


def test_create_runtime_hook_sees_the_container_s_pid_and_namespace(hooked, container):
    """What network plugins do: enter the network namespace of the pid in the state."""
    made, log = hooked("exit", 0, createRuntime=lambda log: {
        "path": "/usr/bin/python3", "args": ["python3", "-c",
        f"import json,os,sys; s=json.load(sys.stdin); open({log!r},'w').write(os.readlink('/proc/%d/ns/net' % s['pid']))"]})
    with container(made) as box:
        box.must("run")
    assert lines(log)[0] != os.readlink("/proc/self/ns/net")


def test_poststart_runs_after_the_program_started(hooked, container):
    made, log = hooked("trap", 15, poststart=lambda log: hook(f"echo poststart >> {log}"))
    with container(made) as box:
        box.must("create")
        assert lines(log) == []
        box.must("start")
        wait_until(lambda: lines(log) == ["poststart"], what="poststart")
        pid = box.pid
        box.must("kill", "KILL")
        exit_status(pid)


def test_start_hook_without_end(container, bundle):
    """While it runs nobody else can start the container, and everybody may kill it."""
    change = hooks(startContainer={"path": "/probe", "args": ["probe", "sleep"]})
    with container(bundle("exit", 0, change=change)) as box:
        box.must("create")
        process = box.runtime.popen("start", box.id)
        box.wait_status("running")
        assert "already running" in box.start().error
        begin = time.monotonic()
        box.must("delete", "--force")
        assert time.monotonic() - begin < 5
        assert process.wait(5) == 1


def test_signal_ends_a_hook_without_end(container, bundle, tmp_path):
    marker = tmp_path / "begun"
    change = hooks(createRuntime=hook('touch "$1"; exec sleep 1000', str(marker)))
    with container(bundle("exit", 0, change=change)) as box:
        process = box.runtime.popen("create", "--bundle", box.bundle.path, box.id)
        wait_until(marker.exists)
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 1
