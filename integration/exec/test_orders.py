"""In which state of a container `exec` works, what it says else, and what it leaves."""

import json
import os
import signal
import time

import pytest

from harness.marks import both_views
from harness.runtime import wait_until


def test_no_such_container(runtime, bundle):
    result = runtime("exec", bundle.new_id(), "true")
    assert result.status == 255
    assert "does not exist" in result.error


def test_created_container(container, bundle):
    with container(bundle("sleep")) as box:
        box.must("create")
        assert box.exec("/probe", "exit", 5).status == 5
        assert box.status == "created"


def test_stopped_container(running):
    with running() as box:
        box.must("kill", "KILL")
        box.wait_status("stopped")
        result = box.exec("/probe", "exit", 0)
        assert result.status == 255
        assert "cannot exec in a stopped container" in result.error


@both_views
def test_paused_container(running, view):
    with running() as box:
        box.must("pause")
        result = box.exec("/probe", "exit", 0)
        assert result.status == 255
        assert "cannot exec in a paused container (use --ignore-paused to override)" in result.error
        process = box.runtime.popen("exec", "--ignore-paused", box.id, "/probe", "exit", "6")
        time.sleep(0.2)
        assert process.poll() is None
        box.must("resume")
        assert process.wait(5) == 6


@both_views
@pytest.mark.parametrize("killed", [False, True])
def test_cgroup_that_somebody_freezes(running, view, tmp_path, killed):
    """Not `pause`, and after exec has looked. Its process can do nothing any more, also not close the lock."""
    process_file = tmp_path / "process"
    os.mkfifo(process_file)
    with running() as box:
        process = box.runtime.popen("exec", "--process", process_file, box.id)
        with open(process_file, "w") as file:  # which exec reads when it has looked
            directory = view.cgroup_of(box.pid, "freezer")
            name, value = ("freezer.state", "FROZEN") if view.mounts.get("freezer") else ("cgroup.freeze", "1")
            with open(os.path.join(directory, name), "w") as freezer:
                freezer.write(value)
            json.dump({**box.bundle.config["process"], "args": ["/probe", "exit", "6"]}, file)
        time.sleep(0.3)
        assert process.poll() is None
        if killed:
            process.kill()
            process.wait()
        resumed = box.must("resume")
        assert resumed.seconds < 5
        assert killed or process.wait(5) == 6


def test_missing_program(running, tmp_path):
    pid_file = tmp_path / "pid"
    with running() as box:
        result = box.exec("no-such-program", flags=["--pid-file", str(pid_file)])
        assert result.status == 255
        assert 'exec: "no-such-program": executable file not found in $PATH' in result.error
        assert not pid_file.exists()


def test_program_that_cannot_run(running, tmp_path):
    pid_file = tmp_path / "pid"
    with running() as box:
        with open(os.path.join(box.bundle.rootfs, "script"), "w") as file:
            file.write("#!/no/such/interpreter\n")
        os.chmod(os.path.join(box.bundle.rootfs, "script"), 0o755)
        result = box.exec("/script", flags=["--detach", "--pid-file", str(pid_file)])
        assert result.status == 255
        assert "/no/such/interpreter" in result.error
        assert not pid_file.exists()


def test_bad_process_document(running, tmp_path):
    path = tmp_path / "process.json"
    path.write_text('{"args": "sh", "cwd": "/"}')
    with running() as box:
        result = box.runtime("exec", "--process", str(path), box.id)
        assert result.status == 255
        assert "/process/args" in result.error


def test_no_command(running):
    with running() as box:
        result = box.runtime("exec", box.id)
        assert result.status == 255
        assert "program" in result.error


def test_forwarded_signal(running):
    with running() as box:
        process = box.runtime.popen("exec", box.id, "/probe", "trap", "10", stdout=-1)
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGUSR1)
        assert process.stdout.readline() == b"signal 10\n"
        process.stdout.close()
        assert process.wait(5) == 0


def test_delete_while_a_process_runs(running):
    with running() as box:
        process = box.runtime.popen("exec", box.id, "/probe", "trap", "10", stdout=-1)
        assert process.stdout.readline() == b"ready\n"
        process.stdout.close()
        box.must("delete", "--force")
        assert process.wait(5) == 137


def test_many_at_once(running):
    with running() as box:
        processes = [box.runtime.popen("exec", box.id, "/probe", "exit", str(n)) for n in range(20)]
        assert [process.wait(20) for process in processes] == list(range(20))


def test_killed_at_any_time(running):
    """Whenever `exec` is killed before its process runs, that process ends too."""
    with running() as box:
        for delay in range(1, 30):
            process = box.runtime.popen("exec", box.id, "/probe", "exit", "0")
            time.sleep(delay * 0.0007)
            process.kill()
            process.wait()
        wait_until(lambda: box.runtime("ps", "--format", "json", box.id).json == [box.pid])
        assert box.status == "running"
