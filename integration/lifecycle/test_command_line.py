"""Global options, help and the documents that need no container."""

import json
import os
import subprocess

import pytest

COMMANDS = ["create", "start", "run", "state", "kill", "delete", "list", "ps", "pause", "resume", "update", "events", "spec", "features"]


def call(binary, *arguments):
    return subprocess.run([binary, *arguments], capture_output=True, text=True, timeout=20, check=False)


def test_version(binary):
    result = call(binary, "--version")
    assert result.returncode == 0
    first, *rest = result.stdout.splitlines()
    assert "version" in first
    assert any(line.startswith("spec: ") for line in rest)


def test_help_names_every_command(binary):
    result = call(binary, "--help")
    assert result.returncode == 0
    for command in COMMANDS:
        assert command in result.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(binary, command):
    result = call(binary, command, "--help")
    assert result.returncode == 0
    assert command in result.stdout


@pytest.mark.parametrize("arguments", [["no-such-command"], ["--no-such-flag"], ["state"], ["state", "a", "b"],
                                       ["kill"], ["create"], ["--log-format", "xml", "list"]])
def test_usage_errors(binary, arguments):
    result = call(binary, *arguments)
    assert result.returncode != 0
    assert result.stderr and not result.stdout


def test_features(binary):
    result = call(binary, "features")
    assert result.returncode == 0
    features = json.loads(result.stdout)
    assert features["ociVersionMin"] and features["ociVersionMax"]
    assert "rro" in features["mountOptions"]
    assert {"user", "pid", "network", "ipc", "uts", "mount", "cgroup", "time"} <= set(features["linux"]["namespaces"])
    assert set(features["hooks"]) == {"prestart", "createRuntime", "createContainer", "startContainer", "poststart",
                                      "poststop"}
    assert "CAP_SYS_ADMIN" in features["linux"]["capabilities"]
    assert features["linux"]["seccomp"]["enabled"] is True
    assert "SCMP_ACT_ERRNO" in features["linux"]["seccomp"]["actions"]
    assert features["linux"]["cgroup"]["v1"] is True
    assert features["linux"]["cgroup"]["v2"] is True
    assert features["annotations"]["berth.version"] in call(binary, "--version").stdout.splitlines()[0]
    assert f'libseccomp: {features["annotations"]["io.github.seccomp.libseccomp.version"]}' in call(binary, "-v").stdout
    assert features["potentiallyUnsafeConfigAnnotations"] == ["org.systemd.property.", "run.oci."]


def test_spec_writes_a_configuration(binary, tmp_path):
    result = subprocess.run([binary, "spec"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["process"]["args"] == ["sh"]
    assert config["root"]["path"] == "rootfs"


def test_spec_into_a_bundle(binary, tmp_path):
    assert call(binary, "spec", "--bundle", str(tmp_path)).returncode == 0
    assert json.loads((tmp_path / "config.json").read_text())["ociVersion"]


def test_spec_for_rootless(binary, tmp_path):
    assert call(binary, "spec", "--rootless", "--bundle", str(tmp_path)).returncode == 0
    config = json.loads((tmp_path / "config.json").read_text())
    assert {"type": "user"} in config["linux"]["namespaces"]
    assert config["linux"]["uidMappings"][0]["size"] == 1


def test_spec_into_another_file(binary, tmp_path):
    assert call(binary, "spec", "--bundle", str(tmp_path), "--file", "mine.json").returncode == 0
    assert call(binary, "spec", "-f", str(tmp_path / "theirs.json")).returncode == 0
    mine = (tmp_path / "mine.json").read_text()
    assert (tmp_path / "theirs.json").read_text() == mine == call(binary, "spec", "-f", "-").stdout
    assert sorted(os.listdir(tmp_path)) == ["mine.json", "theirs.json"]
    assert call(binary, "spec", "-b", str(tmp_path), "-f", "mine.json").returncode == 1


def test_spec_does_not_overwrite(binary, tmp_path):
    (tmp_path / "config.json").write_text("mine")
    result = call(binary, "spec", "--bundle", str(tmp_path))
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1 and "config.json" in result.stderr
    assert (tmp_path / "config.json").read_text() == "mine"


def test_root_is_made_when_it_is_needed(binary, tmp_path, bundle, container, view):
    from harness.runtime import Container, Runtime
    runtime = Runtime(binary, str(tmp_path / "deep" / "root"), view)
    box = Container(runtime, bundle("exit", 0), bundle.new_id())
    with box:
        assert box.run().ok
    assert os.listdir(tmp_path / "deep" / "root") in ([], [])


def test_log_file_gets_the_error_as_json(runtime, bundle, tmp_path):
    log = tmp_path / "log.json"
    result = runtime.with_args("--log", str(log), "--log-format", "json")("state", bundle.new_id())
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(records) == 1
    assert records[0]["level"] == "error"
    assert records[0]["msg"] and records[0]["msg"] in result.error
    assert records[0]["time"][10] == "T"


@pytest.mark.parametrize("arguments", [["create"], ["create", "--no-such-flag", "x"], ["no-such-command"], ["--no-such-flag"]])
def test_log_file_gets_mistakes_on_the_command_line(runtime, tmp_path, arguments):
    """containerd shows what the log says, not what is on stderr."""
    log = tmp_path / "log.json"
    result = runtime.with_args("--log", f"file:{log}", "--log-format", "json")(*arguments)
    record, = [json.loads(line) for line in log.read_text().splitlines()]
    assert record["level"] == "error" and result.error == "berth: " + record["msg"]


def test_arguments_of_an_engine_beside_those_of_its_configuration(runtime, tmp_path):
    """Docker's runtimeArgs stand before what containerd's shim says: the last one counts."""
    first, second = tmp_path / "first", tmp_path / "second"
    result = runtime.with_args("--log", str(first), "--root", str(tmp_path), "--log-format", "text", "--log", str(second),
                               "--log-format=json", "-root", runtime.root)("state", "missing")
    assert result.error and not first.exists()
    assert json.loads(second.read_text())["msg"]


@pytest.mark.parametrize("namespace, user, own", [("user", "somebody", True), ("user", "root", False), ("no", "somebody", False)])
def test_root_of_a_user_in_a_namespace(binary, tmp_path, namespace, user, own):
    """`unshare --map-root-user` or an engine without privilege: /run is not to be written to."""
    prefix = ["unshare", "--user", "--map-root-user"] if namespace == "user" else []
    os.mkdir(tmp_path / "berth")
    os.mkdir(tmp_path / "berth" / "named")  # a container whose creation was interrupted
    done = subprocess.run([*prefix, binary, "list", "-q"], capture_output=True, text=True, check=False,
                          env={"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(tmp_path), "USER": user})
    assert done.returncode == 0, done
    assert ("named" in done.stdout) == own


def test_relative_root(binary, tmp_path):
    made = subprocess.run([binary, "--root", "here", "list"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (made.returncode, made.stderr) == (0, "")


def test_checkpoints_are_not_offered(binary):
    """Podman takes the status of `checkpoint --help` for the answer, and for pods looks for these words."""
    assert call(binary, "checkpoint", "--help").returncode != 0
    restore = call(binary, "restore", "--lsm-mount-context")
    assert restore.returncode != 0
    for words in ("flag needs an argument", "requires an argument"):
        assert words not in restore.stdout + restore.stderr


def test_log_file_as_text(runtime, bundle, tmp_path):
    log = tmp_path / "log"
    result = runtime.with_args("--log", str(log))("state", bundle.new_id())
    assert result.error
    assert "level=error" in log.read_text()
    assert log.read_text().count("\n") == 1


def test_log_is_appended_to(runtime, bundle, tmp_path):
    log = tmp_path / "log"
    logging = runtime.with_args("--log", str(log), "--log-format", "json")
    logging("state", bundle.new_id())
    logging("state", bundle.new_id())
    assert len(log.read_text().splitlines()) == 2


def test_a_run_that_works_logs_nothing(runtime, bundle, container, tmp_path):
    log = tmp_path / "log"
    made = bundle("exit", 0)
    with container(made) as box:
        result = runtime.with_args("--log", str(log))("run", "--bundle", made.path, box.id)
    assert (result.status, result.stderr) == (0, "")
    assert not log.exists() or log.read_text() == ""


def test_debug_tells_what_is_done(runtime, bundle, container, tmp_path):
    log = tmp_path / "log"
    made = bundle("exit", 0)
    with container(made) as box:
        result = runtime.with_args("--debug", "--log", str(log))("run", "--bundle", made.path, box.id)
    assert result.status == 0, result
    assert "level=debug" in log.read_text()


def test_disabled_cgroups(runtime, bundle, container):
    made = bundle("report", change=lambda config: config["linux"].pop("resources"))
    with container(made) as box:
        result = runtime.with_args("--cgroup-manager", "disabled")("run", "--bundle", made.path, box.id)
        assert result.ok, result
        assert all(box.id not in line for line in result.report.cgroup_lines)
