"""containerd's shim with the runtime under test, driven by ctr."""

import json

import pytest

from harness.engine import remove_cgroups
from harness.report import Report
from harness.runtime import wait_until

IMAGE = "docker.io/library/box:1"


@pytest.fixture
def run(ctr, binary, home):
    """ctr run with the runtime under test."""
    return lambda *arguments: ctr("run", "--runc-binary", binary, "--runc-root", f"{home}/runc", *arguments)


@pytest.fixture
def sleeper(ctr, run):
    """A container `id` that sleeps."""
    def start(id, *options):
        result = run("--detach", *options, IMAGE, id, "sleep", "300")
        assert result.ok, result
        assert status(ctr, id) == "RUNNING"
    return start


def status(ctr, id):
    rows = [line.split() for line in ctr.must("tasks", "ls").splitlines()[1:]]
    return next((row[2] for row in rows if row[0] == id), None)


def test_output_and_status(run):
    result = run("--rm", IMAGE, "words", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (result.status, result.stdout) == (7, "out\n") and result.stderr.startswith("err\n")


def test_the_process(run, tmp_path):
    (tmp_path / "note").write_text("from the host")
    result = run("--rm", "--env", "COLOUR=red", "--cwd", "/tmp", "--read-only", "--memory-limit", str(64 << 20),
                 "--mount", f"type=bind,src={tmp_path},dst=/data,options=rbind:ro", IMAGE, "look", "/probe", "report",
                 "--read", "/data/note")
    assert result.ok, result
    seen = Report(json.loads(result.stdout))
    assert "COLOUR=red" in seen.env and seen.cwd == "/tmp"
    assert "ro" in seen.mount("/")["options"] and seen.file("/data/note") == "from the host"


def test_pause_resume_kill(ctr, sleeper):
    sleeper("held")
    ctr.must("tasks", "pause", "held")
    assert status(ctr, "held") == "PAUSED"
    ctr.must("tasks", "resume", "held")
    assert status(ctr, "held") == "RUNNING"
    assert len(ctr.must("tasks", "ps", "held").splitlines()) == 2
    ctr.must("tasks", "kill", "--signal", "SIGKILL", "held")
    wait_until(lambda: status(ctr, "held") == "STOPPED", seconds=20, what="the end")
    assert "process already finished: not found" in ctr("tasks", "kill", "held").stderr


def test_exec(ctr, sleeper):
    sleeper("entered")
    result = ctr("tasks", "exec", "--exec-id", "one", "--cwd", "/tmp", "entered", "sh", "-c", "pwd; exit 9")
    assert (result.status, result.stdout) == (9, "/tmp\n"), result
    with ctr.terminal("tasks", "exec", "-t", "--exec-id", "two", "entered", "sh") as terminal:
        terminal.expect("# ")
        terminal.type("exit 5\n")
        assert terminal.end() == 5


def test_metrics(ctr, sleeper):
    sleeper("measured", "--memory-limit", str(64 << 20))
    shown = ctr.must("tasks", "metrics", "measured").split()
    assert shown[shown.index("pids.current") + 1] == "1"
    assert str(64 << 20) in shown


def test_terminal(ctr, binary, home):
    with ctr.terminal("run", "--rm", "-t", "--runc-binary", binary, "--runc-root", f"{home}/runc", IMAGE, "typed",
                      "sh") as terminal:
        terminal.expect("# ")
        terminal.type("tty; echo $((40 + 2))\n")
        assert "/dev/pts/0" in terminal.expect("\r\n42")
        terminal.type("exit 5\n")
        assert terminal.end() == 5


@pytest.fixture
def both(binary, token):
    """The runtime under test, and runc: what cannot be is refused with the same decisive words."""
    yield binary, "/usr/sbin/runc"
    remove_cgroups(token)  # runc leaves the parent


@pytest.mark.parametrize("options, command, words", [
    ([], "missing", 'exec: "missing": executable file not found in $PATH'),
    ([], "/bin/missing", "no such file or directory"),
    ([], "/etc/passwd", "permission denied"),
    (["--mount", "type=bind,src=/etc/passwd,dst=/etc,options=bind"], "true", "not a directory"),
    (["--memory-limit", "102400"], "true", "memory limit"),
], ids=["no such command", "no such path", "not executable", "file on a directory", "too little memory to start"])
def test_what_cannot_be(ctr, both, home, options, command, words):
    for runtime in both:
        result = ctr("run", "--rm", "--runc-binary", runtime, "--runc-root", f"{home}/runc", *options, IMAGE, "wrong", command)
        assert result.status == 1 and "OCI runtime create failed" in result.stderr and words in result.stderr, result


def test_exec_of_what_cannot_run(ctr, sleeper):
    sleeper("entered")
    result = ctr("tasks", "exec", "--exec-id", "one", "entered", "missing")
    assert result.status == 1 and 'exec: "missing": executable file not found in $PATH' in result.stderr, result
