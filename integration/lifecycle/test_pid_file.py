"""--pid-file: the number alone, whole or not at all."""

import os

from harness.runtime import exit_status


def test_pid_without_a_newline(container, bundle):
    """containerd parses the whole file as a number."""
    made = bundle("sleep")
    path = os.path.join(made.path, "pid")
    with container(made) as box:
        box.must("create", "--pid-file", path)
        assert open(path).read() == str(box.pid)


def test_pid_file_of_run(container, bundle):
    made = bundle("sleep")
    path = os.path.join(made.path, "pid")
    with container(made) as box:
        box.must("run", "--detach", "--pid-file", path)
        assert open(path).read() == str(box.pid)
        pid = box.pid
        box.must("kill", "KILL")
        exit_status(pid)


def test_pid_file_replaces_an_old_one(container, bundle):
    """By rename: a reader of the old file never sees half a number, and a link is not followed."""
    made = bundle("sleep")
    other = made.file("other", "untouched")
    path = os.path.join(made.path, "pid")
    os.symlink(other, path)
    with container(made) as box:
        box.must("create", "--pid-file", path)
        assert open(path).read() == str(box.pid)
        assert not os.path.islink(path)
    assert open(other).read() == "untouched"


def test_relative_pid_file(container, bundle):
    made = bundle("sleep")
    with container(made) as box:
        result = box.runtime("create", "--pid-file", "pid", box.id, cwd=made.path)
        assert result.ok, result
        assert open(os.path.join(made.path, "pid")).read() == str(box.pid)


def test_no_pid_file_when_the_program_cannot_start(container, bundle):
    """conmon takes a pid file for a sign that the process started."""
    made = bundle(args=["/does-not-exist"])
    path = os.path.join(made.path, "pid")
    with container(made) as box:
        assert box.run("--pid-file", path).error
    assert os.listdir(made.path) == ["rootfs", "config.json"] or not os.path.exists(path)


def test_pid_file_in_a_missing_directory(container, bundle):
    with container(bundle("sleep")) as box:
        error = box.create("--pid-file", "/does/not/exist/pid").error
        assert "/does/not/exist" in error and "No such file or directory" in error
